# Bob is away. After the grace his ring is held for him. At his deadline he leaves the rollout, and what is left of the ring is judged. When he
# comes back he is not touched by this rollout any more.

ring canary devices=ada,bob
ring broad devices=cyd
policy grace=24h offline-every=30h offline-deadline=3d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 2, 15:00 (unreachable)
explain bob
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it, until day 4, 09:00
    install is tried again at day 2, 15:00 (unreachable)
    next: day 2, 15:00
wait
    day 2, 09:00
    bob: unreachable for too long to wait for
    gate of ring canary: inconclusive, 1 of 2 succeeded, 0 failed
    ring canary is held: inconclusive
show
    active
      canary: held, inconclusive, 1 queued
        ada succeeded
        bob unsettled
      broad: waiting
        cyd unsettled
wait
    day 2, 15:00
    install bob
fail bob unreachable
    install bob again at day 3, 21:00 (unreachable)
wait
    day 3, 21:00
    install bob
fail bob unreachable
    install bob again at day 5, 03:00 (unreachable)
explain bob
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it, until day 4, 09:00
    install is tried again at day 5, 03:00 (unreachable)
    next: day 4, 09:00
wait
    day 4, 09:00
    bob: away (unreachable)
    ring canary is open again
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install cyd
explain bob
    settled: away
show
    active
      canary: passed
        ada succeeded
        bob away
      broad: open
        cyd unsettled, install is running
seen bob
done
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob away
      broad: passed
        cyd succeeded
