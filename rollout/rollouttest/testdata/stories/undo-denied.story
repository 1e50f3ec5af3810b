# An approver who says no while the rollout is being rolled back does not stop that.

ring canary devices=ada,bob
ring broad devices=cyd approval
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
undo reason="bad patch"
    roll back ada bob, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    rollback ada bob
deny broad
    ring broad: denied by hans
done
    verify ada bob, gone
    ada bob: rolled-back
    gate of ring canary: fail, 2 of 2 failed
    cyd: cancelled
    rollout is undone
show
    undone
      canary: failed
        ada rolled-back
        bob rolled-back
      broad: waiting
        cyd cancelled
