# One metric that is worse fails the ring, however well the others are: they are not averaged.

policy metric="boot up 30%" metric="free down 20%"
ring canary devices=ada,bob soak=24h
ring broad devices=cyd
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
sample ada,bob boot 20 ago=1d
    ada bob: boot measured, 20 20
sample ada,bob free 100 ago=1d
    ada bob: free measured, 100 100
done
    verify ada bob
    ada bob: succeeded
    ring canary soaks until day 2, 09:00
sample ada,bob boot 20
    ada bob: boot measured, 20 20
sample bob free 100
    bob: free measured, 100
sample ada free 70
    ada: free measured, 70
    ada: worse than before, free 70 after 100, limit 80
    gate of ring canary: fail, 1 of 2 failed
    rollout is halted
show
    halted
      canary: failed
        ada succeeded, worse than before
        bob succeeded
      broad: waiting
        cyd unsettled
