# A rollback does not wait for a window.

ring canary devices=ada window="mon 09:00-10:00"
ring broad devices=bob approval
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
wait 5h
undo
    day 1, 14:00
    roll back ada, by hans
    quarantine p1: rolled back by hans
    rollout is undoing, by hans
    rollback ada
done
    verify ada, gone
    ada: rolled-back
    gate of ring canary: fail, 1 of 1 failed
    bob: cancelled
    rollout is undone
show
    undone
      canary: failed
        ada rolled-back
      broad: asking
        bob cancelled
