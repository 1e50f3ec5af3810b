# A device that is lost between its installation and the look at it keeps neither its place nor the rollout for ever.

ring canary devices=ada,bob denominator=reached maxactive=1
ring broad devices=cyd
policy grace=24h offline-every=36h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
ok ada
    verify ada
fail ada unreachable
    verify ada again at day 2, 21:00 (unreachable)
wait
    day 2, 09:00
    ada: unreachable for too long to wait for
    install bob
explain ada
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    verify is tried again at day 2, 21:00 (unreachable)
    1 of 1 devices are being worked on in ring canary
    next: day 2, 21:00
show
    active
      canary: open, 1 silent
        ada unsettled, waits to verify
        bob unsettled, install is running
      broad: waiting
        cyd unsettled
done bob
    verify bob
    bob: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install cyd
show
    active
      canary: passed, 1 silent
        ada unsettled, waits to verify
        bob succeeded
      broad: open
        cyd unsettled, install is running
