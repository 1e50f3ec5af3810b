# A soak that a failure breaks is over.

ring canary devices=ada,bob,cyd minsuccess=60% soak=24h
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
    ring canary soaks until day 2, 09:00
wait 2h
fail cyd permanent
    day 1, 11:00
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
show
    halted
      canary: failed
        ada succeeded
        bob succeeded
        cyd failed
      broad: waiting
        dee unsettled
