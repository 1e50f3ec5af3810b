# A connection that is lost while a device restarts is no failure; a device that came back without a restart gets another.

ring all devices=ada
policy reboot=if-required
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada reboot=yes
    reboot ada
fail ada unreachable
    verify ada
ok ada
    reboot ada
ok ada
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
