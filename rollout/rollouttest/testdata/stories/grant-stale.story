# A leave to begin that comes too late begins nothing.

ring canary devices=ada,bob,cyd
ring broad devices=dee approval
policy maxactive=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada
done
    verify ada cyd
    ada cyd: succeeded
    install bob
    verify bob
    bob: succeeded
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
grant ada dee
undo
    roll back cyd ada bob, by hans
    quarantine p1: rolled back by hans
    rollout is undoing, by hans
    rollback cyd ada
cancel
    rollout is ending, by hans

# A rollback that has not begun is not begun any more, although there is room for it and it was granted.
done cyd
    verify cyd, gone
    cyd: rolled-back
    gate of ring canary: fail, 1 of 3 failed
grant ada bob cyd dee
done
    verify ada, gone
    ada: rolled-back
    bob: succeeded
    dee: cancelled
    rollout is cancelled
grant ada
show
    cancelled
      canary: failed
        ada rolled-back
        bob succeeded
        cyd rolled-back
      broad: asking
        dee cancelled
