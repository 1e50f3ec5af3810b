# With the denominator settled a gate waits for those that were begun, and not for those that are away.

ring canary devices=ada,bob,cyd denominator=settled
ring broad devices=dee
policy offline-every=6h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
fail bob unreachable
    install bob again at day 1, 15:00 (unreachable)
done ada
    verify ada
    ada: succeeded
show
    active
      canary: open, 1 queued
        ada succeeded
        bob unsettled
        cyd unsettled, install is running
      broad: waiting
        dee unsettled
done cyd
    verify cyd
    cyd: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install dee
show
    active
      canary: passed, 1 queued
        ada succeeded
        bob unsettled
        cyd succeeded
      broad: open
        dee unsettled, install is running
