# To try again makes no gate pass by itself: where the gate looks only at devices that have an outcome, those that are tried again still have
# the old one.

ring canary devices=ada,bob,cyd denominator=settled minsuccess=50% window="daily 08:00-10:00 UTC"
ring broad devices=dan
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
fail cyd permanent "conflicts"
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
until day 1 11:00
retry cyd by=hans
    day 1, 11:00
    cyd: tried again by hand, by hans
    ring canary is open again
resume by=hans
    rollout is active, by hans
show
    active
      canary: open
        ada succeeded
        bob succeeded
        cyd unsettled, 0 by hand
      broad: waiting
        dan unsettled
explain cyd
    the next window opens day 2, 08:00
    tried again by hand, times: 1; installations begun so: 0; of its own: 1 of 3
    next: day 2, 08:00
crash
until day 2 08:00
    day 2, 08:00
    install cyd, by hand
fail cyd permanent "conflicts"
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed; 1 tried again by hand
    rollout is halted
retry cyd by=hans reason="the other package is gone"
    cyd: tried again by hand, by hans: the other package is gone
    ring canary is open again
resume by=hans
    rollout is active, by hans
    install cyd, by hand
done cyd
    verify cyd
    cyd: succeeded
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed; 1 tried again by hand
    ring broad opens
    install dan
show
    active
      canary: passed
        ada succeeded
        bob succeeded
        cyd succeeded, 2 by hand
      broad: open
        dan unsettled, install is running
