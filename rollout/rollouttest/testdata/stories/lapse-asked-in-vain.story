# A device that is gone after its installation, and of which every look says again that it is, keeps no place: the next one has its turn.

ring all devices=ada,bob maxactive=1 maxfailed=50%
policy grace=24h offline-every=12h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    verify ada
fail ada unreachable
    verify ada again at day 1, 21:00 (unreachable)
wait 12h
    day 1, 21:00
    verify ada
fail ada unreachable
    verify ada again at day 2, 09:00 (unreachable)
wait 12h
    day 2, 09:00
    ada: unreachable for too long to wait for
    verify ada
fail ada unreachable
    verify ada again at day 2, 21:00 (unreachable)
    install bob
wait 1h
explain bob
    install is running since day 2, 09:00
    next: day 2, 13:00
wait 12h
    day 2, 13:00
    bob: no answer in time
    verify bob
    day 2, 17:00
    bob: no answer in time
    verify bob again at day 2, 17:11 (transient)
    day 2, 17:11:13
    verify bob
    day 2, 21:11:13
    bob: no answer in time
    verify bob again at day 2, 21:32 (transient)
    day 2, 21:32:55
    verify bob
explain ada
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    1 of 1 devices are being worked on in ring all
done bob
    day 2, 22:00
    bob: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 0 failed
    ada: unreachable
    rollout is done
