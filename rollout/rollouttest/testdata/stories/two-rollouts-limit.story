# A tenant's limit counts over all of its rollouts.

patch p1
patch p2
policy limit=2
ring all devices=ada,bob
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ring all devices=cyd,dee
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
done
    q1: verify ada bob
    q1: ada bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: install cyd dee
    q2: verify cyd dee
    q2: cyd dee: succeeded
    q2: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        bob succeeded
    q2: done
      all: passed
        cyd succeeded
        dee succeeded
