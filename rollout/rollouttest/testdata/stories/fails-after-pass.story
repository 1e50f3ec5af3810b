# A ring that has passed can still fail: late devices count.

ring canary devices=ada,bob,cyd minsuccess=60%
ring broad devices=dee,eve
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 3 succeeded, 0 failed
    ring broad opens
    install eve dee
fail cyd permanent
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
    stop eve dee
show
    halted
      canary: failed
        ada succeeded
        bob succeeded
        cyd failed
      broad: open
        dee unsettled, install is running
        eve unsettled, install is running
