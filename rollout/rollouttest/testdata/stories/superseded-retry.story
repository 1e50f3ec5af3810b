# A device on which the older patch had failed has the newer one by another rollout since. A person who has the older one tried again is told
# that it is superseded; nothing is installed below what is there.

patch p1 package="curl 2"
patch p2 package="curl 3"
ring all devices=ada,bob maxfailed=99% minsuccess=1% manual
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
fail ada permanent
    ada: failed (permanent)
done
    verify bob
    bob: succeeded
    gate of ring all: inconclusive, 1 of 2 succeeded, 1 failed (manual)
    ring all is held: manual
start q2 patches=p2 devices=ada
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    q2: ring all is held: manual
q1: retry ada
    q1: ada: tried again by hand, by hans
    q1: ada: superseded by rollout acme:q2
    q1: ada: superseded (superseded)
q1: explain ada
    settled: superseded
    tried again by hand, times: 1; installations begun so: 0; of its own: 1 of 3
    rollout acme:q2 has brought what supersedes it
show
    q1: active
      all: held, manual
        ada superseded, 0 by hand
        bob succeeded
    q2: active
      all: held, manual
        ada succeeded
