# Devices that boot more slowly than before the patch fail the gate of their ring in its soak, each by its own baseline.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd soak=24h
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
sample ada boot 20 ago=1d
    ada: boot measured, 20
sample bob,cyd boot 50 ago=1d
    bob cyd: boot measured, 50 50
ok ada bob cyd
    verify ada bob cyd
sample ada boot 99
ok
    ada bob cyd: succeeded
    ring canary soaks until day 2, 09:00
sample ada boot 26
    ada: boot measured, 26
sample bob boot 40
    bob: boot measured, 40
wait 2h
sample cyd boot 66
    day 1, 11:00
    cyd: boot measured, 66
    cyd: worse than before, boot 66 after 50, limit 65
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
show
    halted
      canary: failed
        ada succeeded
        bob succeeded
        cyd succeeded, worse than before
      broad: waiting
        dee unsettled
explain cyd
    settled: succeeded
    worse than before: boot 66 after 50, limit 65
explain dee
    the rollout is halted
    ring broad is not open: it waits for ring canary, 2 of 3 succeeded (66.66% < 100%), 1 failed, 1 device missing
