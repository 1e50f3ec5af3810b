# A device is worked on by one rollout as long as the window of another one is open. That one begins in its next window.

patch p1
patch p2
ring all devices=ada
policy window="mon-sun 22:00-23:00 UTC"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 22:00
    install ada
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
wait 70m
done
    day 1, 23:10
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
q2: explain ada
    the next window opens day 2, 22:00
    next: day 2, 22:00
wait
    day 2, 22:00
    q2: install ada
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded
