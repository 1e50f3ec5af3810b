# A rollout that is paused tries nobody, and nobody's time runs out meanwhile: bob has used up three hours of his day when it is paused, and
# has the rest afterwards.

ring all devices=ada,bob
policy grace=6h offline-every=20h offline-deadline=1d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 2, 05:00 (unreachable)
until day 1 12:00
pause
    day 1, 12:00
    rollout is paused, by hans
explain bob
    the rollout is paused
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it
    install is tried again at day 2, 05:00 (unreachable)
    next: day 2, 05:00
until day 5 12:00
    day 1, 15:00
    bob: unreachable for too long to wait for
resume
    day 5, 12:00
    rollout is active, by hans
    gate of ring all: inconclusive, 1 of 2 succeeded, 0 failed
    ring all is held: inconclusive
    install bob
fail bob unreachable
    install bob again at day 6, 08:00 (unreachable)
explain bob
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it, until day 6, 09:00
    install is tried again at day 6, 08:00 (unreachable)
    next: day 6, 08:00
until day 6 08:59
    day 6, 08:00
    install bob
fail bob unreachable
    day 6, 08:59
    install bob again at day 7, 04:59 (unreachable)
show
    active
      all: held, inconclusive, 1 queued
        ada succeeded
        bob unsettled
wait
    day 6, 09:00
    bob: away (unreachable)
    ring all is open again
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob away
