# A device that fails as often as it may has failed, and its ring with it.

ring all devices=ada,bob
policy attempts=2 backoff=10m
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done bob
    verify bob
    bob: succeeded
fail ada transient "no route"
    install ada again at day 1, 09:10 (transient)
wait
    day 1, 09:10:19
    install ada, attempt 2
fail ada transient "no route"
    ada: failed (transient)
    gate of ring all: fail, 1 of 2 failed
    rollout is halted
show
    halted
      all: failed
        ada failed, 2 attempts
        bob succeeded
