# A remedy that fails spends no attempt, and keeps nothing back: the next try is made all the same. One that was not begun, because the device was away
# or busy, comes first when it is back, and counts once.

ring all devices=ada maxfailed=100%
policy attempts=2 offline-every=1h remedy="disk-full 1"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada disk-full
    install ada again at day 1, 09:10 (disk-full)
wait 15m
    day 1, 09:10:19
    remedy ada
fail ada unreachable
    day 1, 09:15
    remedy ada again at day 1, 10:15 (unreachable)
explain ada
    unreachable since day 1, 09:15, and nothing is at work there: what it is to get waits for it
    install is tried again at day 1, 10:15 (unreachable)
    it gets a remedy for disk-full first, 0 of at most 1 so far
    next: day 1, 10:15
wait 1h
    day 1, 10:15
    remedy ada
fail ada busy
    remedy ada again at day 1, 10:20 (busy)
wait 5m
    day 1, 10:20
    remedy ada
fail ada permanent
    ada: remedy for disk-full failed (permanent), and tried again all the same
    install ada, attempt 2
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
