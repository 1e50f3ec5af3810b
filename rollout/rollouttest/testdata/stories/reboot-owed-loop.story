# A device that owes a restart however often it gets one is given up after the third.

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
ok ada reboot=yes
    reboot ada
fail ada unreachable
    verify ada
ok ada reboot=yes
    reboot ada
fail ada unreachable
    verify ada
ok ada reboot=yes
    ada: failed (permanent)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
show
    halted
      all: failed
        ada failed
