# A device that cannot be reached spends no attempt; it is tried at once when it is seen again.

ring all devices=ada,bob
policy attempts=1 offline-every=8h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 1, 17:00 (unreachable)
explain bob
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it
    install is tried again at day 1, 17:00 (unreachable)
    next: day 1, 17:00
wait
    day 1, 17:00
    install bob
fail bob unreachable
    install bob again at day 2, 01:00 (unreachable)
wait 3h
seen bob
    day 1, 20:00
    bob: seen again
    install bob
seen bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
