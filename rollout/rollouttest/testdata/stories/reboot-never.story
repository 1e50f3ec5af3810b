# Where restarts are not wanted, the device that owes one is told of.

ring all devices=ada
policy reboot=never
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada reboot=yes
    verify ada
ok ada
    ada: succeeded, a restart is owed
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, owes a restart
