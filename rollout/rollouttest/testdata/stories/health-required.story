# Where it is required to know that devices are well, what was never measured is no success: the ring is held until somebody knows.

policy metric="free down 20% required" metric="load"
ring canary devices=ada,bob,cyd soak=2h maxfailed=34%
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
sample ada free 100 ago=1h
    ada: free measured, 100
sample bob free 100 ago=1h
    bob: free measured, 100
done
    verify ada bob cyd
    ada bob cyd: succeeded
    ring canary soaks until day 1, 11:00
sample ada free 81
    ada: free measured, 81
wait
    day 1, 11:00
    gate of ring canary: inconclusive, 3 of 3 succeeded, 0 failed (health)
    ring canary is held: health
explain dee
    ring broad is not open: it waits for ring canary, 3 of 3 succeeded, 0 failed
    ring canary is held: health
    ring canary: it is not known whether 2 devices are well
show
    active
      canary: held, health
        ada succeeded
        bob succeeded
        cyd succeeded
      broad: waiting
        dee unsettled
sample bob free 90
    bob: free measured, 90
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed
    ring broad opens
    install dee
done
    verify dee
    dee: succeeded
    gate of ring broad: inconclusive, 1 of 1 succeeded, 0 failed (health)
    ring broad is held: health
