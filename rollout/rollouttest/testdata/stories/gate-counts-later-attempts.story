# A device that fails at its second attempt has failed as much as one that fails at its first.

policy attempts=2 backoff=10m
ring canary devices=ada,bob
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob transient
    install bob again at day 1, 09:10 (transient)
wait
    day 1, 09:10:55
    install bob, attempt 2
fail bob transient
    bob: failed (transient)
    gate of ring canary: fail, 1 of 2 failed
    rollout is halted
