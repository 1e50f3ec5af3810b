# What is let go is not lost. The other rollout may work on one device at a time: it begins on ada, and the first one restarts bob itself a minute later. On ada
# the other one installs what needs no restart after all: the first one restarts it as soon as it is free. Nobody is let go twice.

patch p1 reboot=always
patch p2
ring all devices=ada,bob
policy reboot=if-required
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
policy maxactive=1
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q1: ok ada bob boot=b1
    q1: ada bob: let go before the restart, rollout acme:q2 would install there now: one restart serves both
    q1: ada bob: to be restarted day 1, 09:01
    q2: install ada
q1: explain bob
    let rollout acme:q2 install first: one restart serves both
    next: day 1, 09:01
until day 1 09:01
    day 1, 09:01
    q1: reboot bob
q2: ok ada boot=b1
    q2: verify ada
q2: ok ada
    q2: ada: succeeded
    q1: reboot ada
q1: ok ada bob boot=b2
    q1: verify ada bob
done
    q1: ada bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: install bob
    q2: verify bob
    q2: bob: succeeded
    q2: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        bob succeeded
    q2: done
      all: passed
        ada succeeded
        bob succeeded
