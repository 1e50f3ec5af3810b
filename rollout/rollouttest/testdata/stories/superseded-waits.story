# While a rollout is between two tries to bring something newer, the older one waits, whatever its priority; once the newer one has failed there
# it goes on.

patch p1 package="curl 2"
patch p2 package="curl 3"
policy attempts=2
ring all devices=ada,bob maxfailed=99% minsuccess=1%
start q2 patches=p2 devices=ada
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
start q1 patches=p1 priority=7
    q1: rollout is active, by olga
    q1: ring all opens
    q1: install bob
q1: explain ada
    rollout acme:q2 is bringing what supersedes this
fail ada transient
    q2: install ada again at day 1, 09:10 (transient)
q1: explain ada
    rollout acme:q2 is bringing what supersedes this
crash
    q1: again: install bob
q1: explain ada
    rollout acme:q2 is bringing what supersedes this
wait
    day 1, 09:10:19
    q2: install ada, attempt 2
fail ada permanent
    q2: ada: failed (permanent)
    q2: gate of ring all: fail, 1 of 1 failed
    q2: rollout is halted
    q1: install ada
done
    q1: verify ada bob
    q1: ada bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
show
    q2: halted
      all: failed
        ada failed, 2 attempts
    q1: done
      all: passed
        ada succeeded
        bob succeeded
