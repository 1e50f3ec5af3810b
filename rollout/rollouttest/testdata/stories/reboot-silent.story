# A device that does not come back in time is looked at before anything is said of it.

ring all devices=ada
policy reboot=always reboot-timeout=30m
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    reboot ada
wait
    day 1, 09:30
    ada: no answer in time
    verify ada
fail ada unreachable
    verify ada again at day 1, 10:30 (unreachable)
seen ada
    ada: seen again
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
