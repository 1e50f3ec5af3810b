# A device that still waits for a restart after it has come back from one has failed as busy: it is not restarted again and again, and
# nothing is installed there. One whose restart is not known to have happened is restarted again, three times at most.

policy reboot=if-required reboot-before=if-pending attempts=2
ring all devices=ada,bob maxfailed=100% manual
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look ada bob
missing ada reboot=yes
    ada: waits for a restart, which comes first
    reboot ada
ok ada boot=b2
    look ada
missing ada reboot=yes
    ada: waits for a restart after one, so left as it is
    ada: failed (busy)
    gate of ring all: inconclusive, 0 of 2 succeeded, 1 failed (manual)
    ring all is held: manual
missing bob reboot=yes
    bob: waits for a restart, which comes first
    reboot bob
fail bob unreachable
    look bob
missing bob reboot=yes
    bob: waits for a restart, which comes first
    reboot bob
wait
    day 1, 09:30
    bob: no answer in time
    look bob
missing bob reboot=yes
    bob: waits for a restart, which comes first
    reboot bob
fail bob unreachable
    look bob
missing bob reboot=yes
    bob: waits for a restart after one, so left as it is
    bob: failed (busy)
show
    active
      all: held, manual
        ada failed
        bob failed
