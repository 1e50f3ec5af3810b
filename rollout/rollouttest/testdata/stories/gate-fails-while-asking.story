# Waiting for an approver is no reason to stop looking: a late failure fails the ring that has passed and halts the rollout.

ring canary devices=ada,bob,cyd minsuccess=60%
ring broad devices=zoe approval
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 3 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
fail cyd permanent
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
