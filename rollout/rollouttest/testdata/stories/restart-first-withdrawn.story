# A patch is withdrawn while devices are about to be restarted before it, or while that restart is held up: what runs is asked to stop, and
# nothing is restarted any more for what does not come.

patch p1
policy reboot=if-required reboot-before=if-pending backoff=10m
ring all devices=ada,bob,cyd maxfailed=100%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look cyd ada bob
missing ada reboot=yes
    ada: waits for a restart, which comes first
    reboot ada
fail ada transient
    reboot ada again at day 1, 09:11 (transient)
missing bob reboot=yes
    bob: waits for a restart, which comes first
    reboot bob
withdraw p1 reason="breaks tills"
    p1 is withdrawn by hans: breaks tills
    stop cyd bob
    ada: skipped
stopped bob
    install bob again at day 1, 09:00
    bob: skipped
missing cyd reboot=yes
    look cyd again at day 1, 09:00
    cyd: skipped
    gate of ring all: inconclusive, 0 of 0 succeeded, 0 failed
    ring all is held: inconclusive
wait 1h
show
    active
      all: held, inconclusive
        ada skipped
        bob skipped
        cyd skipped
