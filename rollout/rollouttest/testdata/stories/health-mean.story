# One slow start is none yet: as many samples are compared as the policy asks for, mean with mean. What was measured between the
# beginning and the verification counts on neither side.

policy metric="boot up 10% least 4 samples 2"
ring all devices=ada,bob soak=24h maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
wait 1h
sample ada boot 99
sample ada boot 10 ago=5h
    day 1, 10:00
    ada: boot measured, 10
sample ada boot 12 ago=4h
    ada: boot measured, 12
sample bob boot 10 ago=2h
    bob: boot measured, 10
done
    verify ada bob
    ada bob: succeeded
    ring all soaks until day 2, 10:00
sample - boot 99 ago=30m
sample ada boot 20
    ada: boot measured, 20
sample bob boot 20
    bob: boot measured, 20
sample ada boot 10
    ada: boot measured, 10
sample ada boot 18
    ada: boot measured, 18
    ada: worse than before, boot 16 after 11, limit 15
sample bob boot 30
    bob: boot measured, 30
show
    active
      all: soaking
        ada succeeded, worse than before
        bob succeeded
explain ada
    settled: succeeded
    worse than before: boot 16 after 11, limit 15
sample bob boot 20 ago=3h
    bob: boot measured, 20
    bob: worse than before, boot 25 after 15, limit 19
    gate of ring all: fail, 2 of 2 failed
    rollout is halted
explain bob
    settled: succeeded
    worse than before: boot 25 after 15, limit 19
wait
    there is nothing to wait for
