# A device that comes back before its deadline takes its turn in its ring, under the rate of the policy. One that is away again later has
# no more time than it had: coming back for a while does not start it anew.

ring all devices=ada,bob
policy rate=1/2h offline-every=5d grace=12h offline-deadline=2d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada unreachable
    install ada again at day 6, 09:00 (unreachable)
    install bob
fail bob unreachable
    install bob again at day 6, 09:00 (unreachable)
wait 24h
    day 1, 21:00
    ada bob: unreachable for too long to wait for
    gate of ring all: inconclusive, 0 of 2 succeeded, 0 failed
    ring all is held: inconclusive
seen ada bob
    day 2, 09:00
    ada bob: seen again
    ring all is open again
    install ada
explain bob
    rate 1 in 2h: next at day 2, 11:00
    next: day 2, 11:00
fail ada unreachable
    install ada again at day 7, 09:00 (unreachable)
    install bob
fail bob unreachable
    install bob again at day 7, 09:00 (unreachable)
wait 23h
    day 2, 21:00
    ada bob: unreachable for too long to wait for
    gate of ring all: inconclusive, 0 of 2 succeeded, 0 failed
    ring all is held: inconclusive
explain ada
    unreachable since day 2, 09:00, and nothing is at work there: what it is to get waits for it, until day 3, 09:00
    install is tried again at day 7, 09:00 (unreachable)
    next: day 3, 09:00
seen ada
    day 3, 08:00
    ada: seen again
    ring all is open again
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: inconclusive, 1 of 2 succeeded, 0 failed
    ring all is held: inconclusive
show
    active
      all: held, inconclusive, 1 queued
        ada succeeded
        bob unsettled
wait
    day 3, 09:00
    bob: away (unreachable)
    ring all is open again
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob away
