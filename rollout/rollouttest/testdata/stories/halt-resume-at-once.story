# A device that is stopped and begun anew at the same instant still has one task only, and one deadline.

ring all devices=ada
policy timeout=4h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
halt
    rollout is halted, by hans
    stop ada
stopped ada
    install ada again at day 1, 09:00
resume
    rollout is active, by hans
    install ada
wait
    day 1, 13:00
    ada: no answer in time
    verify ada
done
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
