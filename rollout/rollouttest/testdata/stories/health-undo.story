# A regression makes the gate fail, and the ring is rolled back as after any other failure. Samples of devices that are not to be
# compared count for nothing.

policy metric="crashes" on-fail=ring
ring canary devices=ada,bob soak=24h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
sample - crashes 0 ago=1h
    ada bob: crashes measured, 0 0
sample ada load 7 ago=1h
done
    verify ada bob
    ada bob: succeeded
    ring canary soaks until day 2, 09:00
sample ada crashes 1
    ada: crashes measured, 1
    ada: worse than before, crashes 1 after 0, limit 0
    gate of ring canary: fail, 1 of 2 failed
    roll back ada bob
    quarantine p1: gate of ring canary failed
    rollout is undoing
    rollback ada bob
sample ada crashes 0
done
    verify ada bob, gone
    ada bob: rolled-back
    rollout is undone
sample - crashes 5
show
    undone
      canary: failed
        ada rolled-back, worse than before
        bob rolled-back
