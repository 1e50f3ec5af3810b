# A look that was stopped has seen nothing.

ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    verify ada
stopped ada
    verify ada again at day 1, 09:11 (transient)
wait
    day 1, 09:11:50
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
