# A device that was dropped because another rollout has brought it something newer is made anew: here that stays as it is.

patch p1 package="curl 2"
patch p2 package="curl 3"
ring all devices=ada,bob maxfailed=99% minsuccess=1% manual window="daily 22:00-23:00 UTC"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
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
    q1: ada: superseded by rollout acme:q2
    q1: ada: superseded (superseded)
q1: withdraw p1
    q1: p1 is withdrawn by hans
    q1: bob: skipped
    q1: gate of ring all: inconclusive, 0 of 0 succeeded, 0 failed
    q1: ring all is held: inconclusive
q1: leave ada reimaged
    q1: ada: made anew, so that what is known of it is true no more
q2: leave ada reimaged
    q2: ada: made anew, so that what is known of it is true no more
    q2: ada: open again
    q2: ring all is open again
    q2: install ada
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    q2: ring all is held: manual
show
    q1: active
      all: held, inconclusive
        ada superseded
        bob skipped
    q2: active
      all: held, manual
        ada succeeded
