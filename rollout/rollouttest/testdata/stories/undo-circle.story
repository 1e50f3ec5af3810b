# Three rollouts lie above each other in a circle, each in another package. None of them can be the first to be taken back, so none waits for
# another of them. What lies above one of them only is taken back before that one.

patch pa package="xlib 2" package="zlib 1"
patch pb package="xlib 1" package="ylib 2"
patch pc package="ylib 1" package="zlib 2"
patch pd package="xlib 3"
ring all devices=ada,bob manual
start qa patches=pa
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install bob ada
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    ring all is held: manual
ring all devices=ada,bob manual
start qb patches=pb
    qb: rollout is active, by olga
    qb: ring all opens
    qb: install ada bob
done
    qb: verify ada bob
    qb: ada bob: succeeded
    qb: gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    qb: ring all is held: manual
ring all devices=ada,bob manual
start qc patches=pc
    qc: rollout is active, by olga
    qc: ring all opens
    qc: install ada bob
done
    qc: verify ada bob
    qc: ada bob: succeeded
    qc: gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    qc: ring all is held: manual
ring all devices=bob manual
start qd patches=pd
    qd: rollout is active, by olga
    qd: ring all opens
    qd: install bob
done
    qd: verify bob
    qd: bob: succeeded
    qd: gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    qd: ring all is held: manual
qa: undo reason="no sound"
    qa: roll back bob ada, by hans: no sound
    qa: quarantine pa: no sound
    qa: rollout is undoing, by hans: no sound
    qa: ring all is open again
    qa: rollback ada
qb: undo reason="no sound"
    qb: roll back ada bob, by hans: no sound
    qb: quarantine pb: no sound
    qb: rollout is undoing, by hans: no sound
    qb: ring all is open again
qc: undo reason="no sound"
    qc: roll back ada bob, by hans: no sound
    qc: quarantine pc: no sound
    qc: rollout is undoing, by hans: no sound
    qc: ring all is open again
    qc: rollback bob
qa: explain bob
    the rollout is undoing
    rollout acme:qd has brought something newer there, which has to be taken back first
qb: explain bob
    the rollout is undoing
    rollout acme:qd has brought something newer there, which has to be taken back first
qc: explain bob
    rollback is running since day 1, 09:00
    next: day 1, 13:00
qa: ok ada
    qa: verify ada, gone
qa: ok ada
    qa: ada: rolled-back
    qa: gate of ring all: fail, 1 of 2 failed
    qb: rollback ada
