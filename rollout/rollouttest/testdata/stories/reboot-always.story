# A patch whose publisher says that it needs a restart gets one, whatever the installer says of it.

patch p1 reboot=always
ring all devices=ada
policy reboot=if-required
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    reboot ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
