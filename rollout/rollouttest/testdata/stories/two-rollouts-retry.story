# While a device waits for another try, the other rollout may have it.

patch p1
patch p2
ring all devices=ada,bob
policy backoff=10m
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
fail ada bob transient
    q1: install ada bob again at day 1, 09:10 (transient)
    q2: install ada bob
fail bob transient
    q2: install bob again at day 1, 09:10 (transient)
wait
done bob
done
    day 1, 09:10:19
    q2: verify ada
    q2: ada: succeeded
    q1: install ada, attempt 2
    q1: verify ada
    q1: ada: succeeded
wait
    day 1, 09:10:55
    q1: install bob, attempt 2
done
    q1: verify bob
    q1: bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: install bob, attempt 2
    q2: verify bob
    q2: bob: succeeded
    q2: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded, 2 attempts
        bob succeeded, 2 attempts
    q2: done
      all: passed
        ada succeeded
        bob succeeded, 2 attempts
