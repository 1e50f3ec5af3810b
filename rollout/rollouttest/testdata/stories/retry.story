# A device that fails is tried again, each time after a longer pause, and then succeeds.

ring all devices=ada
policy attempts=3 backoff=10m
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada transient "404 not found"
    install ada again at day 1, 09:10 (transient)
explain ada
    install is tried again at day 1, 09:10 (transient)
    next: day 1, 09:10:19
wait
    day 1, 09:10:19
    install ada, attempt 2
fail ada disk-full
    install ada again at day 1, 09:34 (disk-full)
wait
    day 1, 09:34:01
    install ada, attempt 3
ok ada
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 3 attempts
