# A device whose try has failed for what there is a remedy for gets that before the next try, in the same session, and once only: the next failure of
# that kind is tried again without. Another fault, and another device, get none.

ring all devices=ada,bob maxfailed=100%
policy attempts=3 remedy="corrupt"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
fail ada corrupt
    install ada again at day 1, 09:10 (corrupt)
fail bob disk-full
    install bob again at day 1, 09:10 (disk-full)
explain ada
    install is tried again at day 1, 09:10 (corrupt)
    it gets a remedy for corrupt first, 0 of at most 1 so far
    next: day 1, 09:10:19
explain bob
    install is tried again at day 1, 09:10 (disk-full)
    next: day 1, 09:10:55
wait 15m
    day 1, 09:10:19
    remedy ada
    day 1, 09:10:55
    install bob, attempt 2
fail bob disk-full
    day 1, 09:15
    install bob again at day 1, 09:37 (disk-full)
ok ada
    ada: remedy for corrupt done
    install ada, attempt 2
fail ada corrupt
    install ada again at day 1, 09:37 (corrupt)
explain ada
    install is tried again at day 1, 09:37 (corrupt)
    next: day 1, 09:37:03
wait 1h
    day 1, 09:37:03
    install ada, attempt 3
    day 1, 09:37:26
    install bob, attempt 3
done
    day 1, 10:15
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 3 attempts
        bob succeeded, 3 attempts
