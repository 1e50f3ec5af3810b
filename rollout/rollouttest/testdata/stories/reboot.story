# A device that needs a restart gets one, and is looked at after it; a connection lost meanwhile is no failure.

ring all devices=ada,bob
policy reboot=if-required
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ok ada reboot=yes boot=b1
    reboot ada
ok bob reboot=no
    verify bob
running ada
ok bob
    bob: succeeded
ok ada boot=b2
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
