# Two rollouts want the same device: it is worked on by one of them at a time, from the installation to the look at it.

patch p1
patch p2
ring all devices=ada,bob
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
start q2 patches=p2 devices=ada
    q2: rollout is active, by olga
    q2: ring all opens
q2: explain ada
    its turn has come
ok ada
    q1: verify ada
ok ada
    q1: ada: succeeded
    q2: install ada
done
    q1: verify bob
    q2: verify ada
    q1: bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        bob succeeded
    q2: done
      all: passed
        ada succeeded
