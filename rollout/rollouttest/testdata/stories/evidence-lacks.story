# All have succeeded, but so few that it proves nothing: the ring holds and asks.

ring canary devices=ada,bob maxfailed=100% tolerate=10% below=20%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring canary: inconclusive, 2 of 2 succeeded, 0 failed; of 2 begun 0 failed, e-value 0.818; proof to pass 1.43; rate 0% to 87.1%
    ring canary is held: inconclusive
explain zoe
    ring broad is not open: it waits for ring canary, 2 of 2 succeeded, 0 failed; of 2 begun 0 failed, e-value 0.818; proof to pass 1.43; rate 0% to 87.1%
    ring canary is held: inconclusive
promote canary by=olga
    gate of ring canary: promoted by olga, 2 of 2 succeeded, 0 failed; of 2 begun 0 failed, e-value 0.818; proof to pass 1.43; rate 0% to 87.1%
    ring broad opens
    install zoe
