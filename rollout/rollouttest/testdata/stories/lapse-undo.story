# A device that is to be rolled back and cannot be reached is waited for: the rollback is not forgotten.

ring all devices=ada,bob denominator=reached
policy grace=24h offline-every=72h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done ada
    verify ada
    ada: succeeded
undo
    roll back ada bob, by hans
    quarantine p1: rolled back by hans
    rollout is undoing, by hans
    stop bob
    rollback ada
ok ada
    verify ada, gone
stopped bob
    bob: cancelled
fail ada unreachable
    verify ada again at day 4, 09:00 (unreachable)
wait
    day 2, 09:00
    ada: unreachable for too long to wait for
wait
    day 4, 09:00
    verify ada, gone
fail ada unreachable
    verify ada again at day 7, 09:00 (unreachable)
seen ada
    ada: seen again
    verify ada, gone
done
    ada: rolled-back
    gate of ring all: fail, 1 of 1 failed
    rollout is undone
show
    undone
      all: failed
        ada rolled-back
        bob cancelled
