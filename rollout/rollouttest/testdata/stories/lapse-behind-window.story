# The grace of an unreachable device runs out on time, even while its window is closed.

ring canary devices=ada,bob denominator=reached window="mon 09:00-11:00"
ring broad devices=cyd
policy grace=24h offline-every=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    install bob
fail bob unreachable
    install bob again at day 1, 11:00 (unreachable)
until day 2 09:00
    day 2, 09:00
    bob: unreachable for too long to wait for
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install cyd
show
    active
      canary: passed, 1 queued
        ada succeeded
        bob unsettled
      broad: open
        cyd unsettled, install is running
