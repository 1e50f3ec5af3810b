# Two rollouts bring other versions of the same packages, and neither supersedes the other: both are done, one after the other, and it is said
# that they contradict each other.

patch p1 package="curl 2" package="bash 6"
patch p2 package="curl 3" package="bash 5"
patch p3
ring all devices=ada maxfailed=99% minsuccess=1%
start q1 patches=p1 priority=3
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
start q2 patches=p2 priority=0
    q2: rollout is active, by olga
    q2: ring all opens
start q3 patches=p3
    q3: rollout is active, by olga
    q3: ring all opens
q2: explain ada
    rollout acme:q1 brings other versions of the same packages, and neither supersedes the other (curl 3 here and 2 there, bash 5 here and 6 there); it goes first: its priority is 3, and 0 here
q3: explain ada
    its turn has come
done
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
    q2: install ada
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
    q3: install ada
    q3: verify ada
    q3: ada: succeeded
    q3: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q3: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded
    q3: done
      all: passed
        ada succeeded
