# With the denominator reached, a device that is away for longer than the grace holds nobody up.

ring canary devices=ada,bob denominator=reached
ring broad devices=cyd
policy grace=24h offline-every=12h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 1, 21:00 (unreachable)
wait
    day 1, 21:00
    install bob
fail bob unreachable
    install bob again at day 2, 09:00 (unreachable)
wait
    day 2, 09:00
    bob: unreachable for too long to wait for
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install bob cyd
fail bob unreachable
    install bob again at day 2, 21:00 (unreachable)
done
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    bob: unreachable
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob unreachable
      broad: passed
        cyd succeeded
