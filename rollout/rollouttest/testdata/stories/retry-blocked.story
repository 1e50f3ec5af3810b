# A device whose place in the queue is taken by another rollout does not hold up, or lose, those behind it.

patch p1
patch p2
ring all devices=ada,bob,cyd
policy backoff=10m attempts=4
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada bob
start q2 patches=p2 devices=ada
    q2: rollout is active, by olga
    q2: ring all opens
fail transient
    q1: install ada bob cyd again at day 1, 09:10 (transient)
    q2: install ada
wait 1h
    day 1, 09:10:13
    q1: install cyd, attempt 2
    day 1, 09:10:55
    q1: install bob, attempt 2
q1: explain bob
    install is running since day 1, 09:10
    next: day 1, 13:10:55
fail bob cyd transient
    day 1, 10:00
    q1: install bob cyd again at day 1, 10:21 (transient)
wait 1h
    day 1, 10:21:46
    q1: install cyd, attempt 3
    day 1, 10:22:26
    q1: install bob, attempt 3
fail bob transient
    day 1, 11:00
    q1: install bob again at day 1, 11:43 (transient)
wait 1h
    day 1, 11:43:25
    q1: install bob, attempt 4
done
    day 1, 12:00
    q1: verify bob cyd
    q2: verify ada
    q1: bob cyd: succeeded
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
    q1: install ada, attempt 2
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 3 of 3 succeeded, 0 failed
    q1: rollout is done
show
    q1: done
      all: passed
        ada succeeded, 2 attempts
        bob succeeded, 4 attempts
        cyd succeeded, 3 attempts
    q2: done
      all: passed
        ada succeeded
