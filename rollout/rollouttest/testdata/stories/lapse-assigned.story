# With the denominator assigned, a device that is away for longer than the grace keeps its ring from passing.

ring canary devices=ada,bob
ring broad devices=cyd
policy grace=6h offline-every=72h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 4, 09:00 (unreachable)
wait
    day 1, 15:00
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

# Three days later it is tried again and still not there. A day after that it comes back, and all is well.
wait
    day 4, 09:00
    install bob
fail bob unreachable
    install bob again at day 7, 09:00 (unreachable)
wait 24h
seen bob
    day 5, 09:00
    bob: seen again
    ring canary is open again
    install bob
done
    verify bob
    bob: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install cyd
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob succeeded
      broad: passed
        cyd succeeded
