# A device that needs its user waits for as long as it takes, and spends no attempt.

ring all devices=ada
policy attempts=1 offline-every=24h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada needs-user "battery is low"
    install ada again at day 2, 09:00 (needs-user)
wait
    day 2, 09:00
    install ada
fail ada needs-user "battery is low"
    install ada again at day 3, 09:00 (needs-user)
wait
    day 3, 09:00
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
