# An approver who says no ends the rollout; what was installed before stays.

ring canary devices=ada
ring broad devices=bob approval
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
wait 24h
deny broad by=hans reason="not this month"
    day 2, 09:00
    ring broad: denied by hans: not this month
    rollout is ending, by hans: not this month
    bob: cancelled
    rollout is denied
show
    denied
      canary: passed
        ada succeeded
      broad: waiting
        bob cancelled
