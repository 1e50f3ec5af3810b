# A retry that comes to nothing leaves the failure that was there: the rollout is cancelled before it begins, the device is away until the
# end, or somebody thinks better of it.

ring all devices=ada,bob,cyd,dan,eve maxfailed=80% soak=7d window="daily 08:00-12:00 UTC"
policy grace=4h attempts=1 offline-every=1d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve cyd ada dan bob
done eve
    verify eve
    eve: succeeded
    ring all soaks until day 8, 09:00
fail ada bob cyd dan permanent "conflicts"
    ada bob cyd dan: failed (permanent)
until day 1 13:00
retry ada,bob,cyd,dan by=hans
    day 1, 13:00
    cyd ada dan bob: tried again by hand, by hans
skip ada by=hans
    ada: failed (permanent)
until day 2 08:00
    day 2, 08:00
    install cyd dan bob
fail bob unreachable
    install bob again at day 3, 08:00 (unreachable)
fail dan unreachable
    install dan again at day 3, 08:00 (unreachable)
running cyd
wait 3h
explain bob
    unreachable since day 2, 08:00, and nothing is at work there: what it is to get waits for it
    install is tried again at day 3, 08:00 (unreachable)
    tried again by hand, times: 1; installations begun so: 0; of its own: 1 of 1
    next: day 3, 08:00
until day 2 12:30
    day 2, 12:00
    cyd: no answer in time
    verify cyd
    dan bob: unreachable for too long to wait for
show
    active
      all: soaking, 2 queued, 1 silent
        ada failed, 0 by hand
        bob unsettled, 0 by hand
        cyd unsettled, verify is running, 1 by hand
        dan unsettled, 0 by hand
        eve succeeded
explain bob
    unreachable since day 2, 08:00, and nothing is at work there: what it is to get waits for it
    install is tried again at day 3, 08:00 (unreachable)
    the next window opens day 3, 08:00
    tried again by hand, times: 1; installations begun so: 0; of its own: 1 of 1
    next: day 3, 08:00
leave dan retired
    day 2, 12:30
    dan: no longer there
    dan: gone
cancel by=hans
    rollout is ending, by hans
stopped cyd
    cyd: failed (transient)
    bob: failed (unreachable)
    rollout is cancelled
show
    cancelled
      all: soaking
        ada failed, 0 by hand
        bob failed, 0 by hand
        cyd failed, 1 by hand
        dan gone, 0 by hand
        eve succeeded
