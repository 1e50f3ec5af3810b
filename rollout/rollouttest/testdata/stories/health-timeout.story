# A ring that waits for samples waits no longer than its gate may.

policy metric="free down 20% required"
ring canary devices=ada timeout=6h on-timeout=fail
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
sample ada free 100 ago=1h
    ada: free measured, 100
done
    verify ada
    ada: succeeded
    gate of ring canary: inconclusive, 1 of 1 succeeded, 0 failed (health)
    ring canary is held: health
explain dee
    ring broad is not open: it waits for ring canary, 1 of 1 succeeded, 0 failed
    ring canary is held: health
    ring canary: it is not known whether 1 devices are well
wait
    day 1, 15:00
    gate of ring canary: fail, 0 of 1 failed (timeout)
    rollout is halted
