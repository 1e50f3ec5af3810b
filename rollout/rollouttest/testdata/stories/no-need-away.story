# In the last ring one device has no need of the patch, and the other was not reached until its deadline. It may need it: that is no pass.

policy grace=6h offline-every=5d offline-deadline=1d
ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
fail ada not-applicable
    ada: not-applicable (not-applicable)
fail bob unreachable
    install bob again at day 6, 09:00 (unreachable)
wait 2d
    day 1, 15:00
    bob: unreachable for too long to wait for
    gate of ring all: inconclusive, 0 of 1 succeeded, 0 failed
    ring all is held: inconclusive
    day 2, 09:00
    bob: away (unreachable)
