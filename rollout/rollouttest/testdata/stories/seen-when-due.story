# A device that is seen again at the very instant at which it is due is begun once.

ring all devices=ada,bob
policy offline-every=3h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done bob
    verify bob
    bob: succeeded
fail ada unreachable
    install ada again at day 1, 12:00 (unreachable)
pause
    rollout is paused, by hans
wait 3h
seen ada
    day 1, 12:00
    ada: seen again
resume
    rollout is active, by hans
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
