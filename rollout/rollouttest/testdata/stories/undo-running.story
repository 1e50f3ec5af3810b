# A rollback never overlaps with an installation: it waits for its last report.

ring all devices=ada,bob,cyd maxactive=2
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada cyd
undo reason="bad patch"
    roll back ada cyd, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    stop ada cyd
wait 1h
ok
    day 1, 10:00
    rollback ada cyd
show
    undoing
      all: open
        ada unsettled, rollback is running
        bob unsettled
        cyd unsettled, rollback is running
done
    verify ada cyd, gone
    ada cyd: rolled-back
    gate of ring all: fail, 2 of 3 failed
    bob: cancelled
    rollout is undone
show
    undone
      all: failed
        ada rolled-back
        bob cancelled
        cyd rolled-back
