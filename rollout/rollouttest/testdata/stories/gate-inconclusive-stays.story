# An inconclusive ring is not judged over and over until it happens to pass: it holds, however long nobody answers.

ring canary devices=ada,bob minsample=3
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring canary: inconclusive, 2 of 2 succeeded, 0 failed
    ring canary is held: inconclusive
wait 30d
show
    active
      canary: held, inconclusive
        ada succeeded
        bob succeeded
      broad: waiting
        zoe unsettled
