# A device that cannot be reached gives back what it took of the rate, with its backup too: the next one has its turn.

policy rate=1/1h offline-every=1h backup=required
ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada
fail ada unreachable
    backup ada again at day 1, 10:00 (unreachable)
    backup bob
fail bob unreachable
    backup bob again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    backup ada
explain bob
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it
    rate 1 in 1h: next at day 1, 11:00
    next: day 1, 11:00
done
    ada: backed up
    install ada
    verify ada
    ada: succeeded
wait 3h
    day 1, 11:00
    backup bob
