# A device that asks for patience is not tried again any sooner.

ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada transient after=5h
    install ada again at day 1, 14:00 (transient)
wait
    day 1, 14:00
    install ada, attempt 2
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
