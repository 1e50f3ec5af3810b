# An empty ring does not pass its gate: it is merged into the next one, which keeps the stricter of both.

ring canary share=10% approval soak=24h
ring broad devices=ada,bob maxfailed=50%
start q1
    day 1, 09:00
    ring broad takes the place of canary, which is empty
    rollout is active, by olga
    ring broad: olga asks leave for 2 devices (p1)
approve broad
    ring broad: approved by hans
    ring broad opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob permanent
    bob: failed (permanent)
    gate of ring broad: fail, 1 of 2 failed
    rollout is halted
show
    halted
      broad: failed
        ada succeeded
        bob failed
