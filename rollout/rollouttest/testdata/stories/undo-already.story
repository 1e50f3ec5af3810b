# What was there before the rollout is not taken away by its rollback.

ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
undo reason="bad patch"
    roll back ada bob, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    stop ada bob
fail ada already-installed
    ada: cancelled (already-installed)
fail bob superseded
    bob: cancelled (superseded)
    rollout is undone
done
show
    undone
      all: open
        ada cancelled
        bob cancelled
