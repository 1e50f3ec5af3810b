# A device that two rollouts have worked on is made anew, and the older one hears of it first: what the newer one has brought there is gone,
# too, and supersedes nothing any more, until it is brought again.

patch p1 package="curl 2"
patch p2 package="curl 3"
ring all devices=ada,bob manual
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    ring all is held: manual
ring all devices=ada manual
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    q2: ring all is held: manual
q1: leave ada reimaged
    q1: ada: made anew, so that what is known of it is true no more
    q1: ada: open again
    q1: ring all is open again
    q1: install ada
q2: leave ada reimaged
    q2: ada: made anew, so that what is known of it is true no more
    q2: ada: open again
    q2: ring all is open again
q1: ok ada
    q1: verify ada
q1: ok ada
    q1: ada: succeeded
    q1: gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    q1: ring all is held: manual
    q2: install ada
q2: fail ada permanent
    q2: ada: failed (permanent)
    q2: gate of ring all: fail, 1 of 1 failed
    q2: rollout is halted
show
    q1: active
      all: held, manual
        ada succeeded
        bob succeeded
    q2: halted
      all: failed
        ada failed
