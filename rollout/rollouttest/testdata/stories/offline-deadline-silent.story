# The deadline is for devices at which nothing can be at work. One that was lost while it installed, and one that has not been looked at since,
# stay owed, whatever the hour: unknown is no outcome. One at which an attempt has failed is no one that was never reached: it has failed.

ring all devices=ada,bob,cyd,dan maxfailed=50%
policy grace=6h offline-every=10d offline-deadline=1d backoff=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada dan bob
running ada
fail ada unreachable
    verify ada again at day 11, 09:00 (unreachable)
ok bob
    verify bob
fail bob unreachable
    verify bob again at day 11, 09:00 (unreachable)
fail cyd transient
    install cyd again at day 1, 10:01 (transient)
done dan
    verify dan
    dan: succeeded
until day 1 11:00
    day 1, 10:01:21
    install cyd, attempt 2
fail cyd unreachable
    day 1, 11:00
    install cyd again at day 11, 11:00 (unreachable)
explain ada
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    verify is tried again at day 11, 09:00 (unreachable)
    next: day 11, 09:00
explain bob
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    verify is tried again at day 11, 09:00 (unreachable)
    next: day 11, 09:00
explain cyd
    unreachable since day 1, 11:00, and nothing is at work there: what it is to get waits for it, until day 2, 11:00
    install is tried again at day 11, 11:00 (unreachable)
    next: day 2, 11:00
until day 3 09:00
    day 1, 15:00
    ada bob: unreachable for too long to wait for
    day 1, 17:00
    cyd: unreachable for too long to wait for
    gate of ring all: inconclusive, 1 of 4 succeeded, 0 failed
    ring all is held: inconclusive
    day 2, 11:00
    cyd: failed (unreachable)
explain ada
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    verify is tried again at day 11, 09:00 (unreachable)
    next: day 11, 09:00
show
    active
      all: held, inconclusive, 2 silent
        ada unsettled, waits to verify
        bob unsettled, waits to verify
        cyd failed
        dan succeeded

# Ada has it, bob does not, and is tried again.
seen ada bob
    day 3, 09:00
    ada bob: seen again
    ring all is open again
    verify ada bob
ok ada
    ada: succeeded
    gate of ring all: pass, 2 of 4 succeeded, 1 failed
missing bob
    install bob again at day 3, 10:05 (transient)
show
    active
      all: passed
        ada succeeded
        bob unsettled
        cyd failed
        dan succeeded
