# A device that is busy spends no attempt, up to a limit.

ring all devices=ada
policy attempts=1 busy-every=5m busy-limit=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada busy "dpkg lock"
    install ada again at day 1, 09:05 (busy)
wait
    day 1, 09:05
    install ada
fail ada busy "dpkg lock"
    install ada again at day 1, 09:10 (busy)
wait
    day 1, 09:10
    install ada
fail ada busy "dpkg lock"
    ada: failed (busy)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
show
    halted
      all: failed
        ada failed
