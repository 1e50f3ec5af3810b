# A rollout is rolled back on a device that has something newer of the same package by another one since: that is taken back first. Where the two
# have nothing in common each goes its own way.

patch p1 package="curl 2"
patch p2 package="curl 3"
patch p3 package="bash 6"
ring all devices=ada,bob,cyd manual
start q1 patches=p1 devices=ada,bob,cyd
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada bob
done
    verify ada bob cyd
    ada bob cyd: succeeded
    gate of ring all: inconclusive, 3 of 3 succeeded, 0 failed (manual)
    ring all is held: manual
ring all devices=ada,bob manual
device ada patches=p2
device bob patches=p3
start q2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada bob
done
    q2: verify ada bob
    q2: ada bob: succeeded
    q2: gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    q2: ring all is held: manual
q1: undo reason="it leaks"
    q1: roll back cyd ada bob, by hans: it leaks
    q1: quarantine p1: it leaks
    q1: rollout is undoing, by hans: it leaks
    q1: ring all is open again
    q1: rollback cyd bob
q1: explain ada
    the rollout is undoing
    rollout acme:q2 has brought something newer there, which has to be taken back first
q1: explain bob
    rollback is running since day 1, 09:00
    next: day 1, 13:00
crash
    q1: again: rollback cyd rollback bob
q1: explain ada
    the rollout is undoing
    rollout acme:q2 has brought something newer there, which has to be taken back first
q2: undo-device ada reason="q1 is taken back"
    q2: roll back ada, by hans: q1 is taken back
    q2: quarantine p2 on ada: q1 is taken back
    q2: ring all is open again
    q2: rollback ada
q1: explain ada
    the rollout is undoing
    rollout acme:q2 has brought something newer there, which has to be taken back first
ok ada
    q2: verify ada, gone
q1: explain ada
    the rollout is undoing
    rollout acme:q2 has brought something newer there, which has to be taken back first
ok ada
    q2: ada: rolled-back
    q2: gate of ring all: fail, 1 of 2 failed
    q2: rollout is halted
    q1: rollback ada
done
    q1: verify ada bob cyd, gone
    q1: ada bob cyd: rolled-back
    q1: gate of ring all: fail, 3 of 3 failed
    q1: rollout is undone
show
    q1: undone
      all: failed
        ada rolled-back
        bob rolled-back
        cyd rolled-back
    q2: halted
      all: failed
        ada rolled-back
        bob succeeded
