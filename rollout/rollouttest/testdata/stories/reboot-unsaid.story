# Where the publisher says that a patch needs a restart, silence of the device is no denial: the restart is owed.

patch p1 reboot=always
ring all devices=ada,bob
policy reboot=never
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ok ada
    verify ada
ok bob reboot=no
    verify bob
ok ada bob
    ada: succeeded, a restart is owed
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, owes a restart
        bob succeeded
