# A person who promotes a ring that is not known to be well takes it as it is. Values that are none are refused.

policy metric="load required"
ring canary devices=ada
ring broad devices=dee soak=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring canary: inconclusive, 1 of 1 succeeded, 0 failed (health)
    ring canary is held: health
sample ada load -1
    refused: sample 0, load of device 0: -1 is no value
sample ada load NaN
    refused: sample 0, load of device 0: NaN is no value
promote canary
    gate of ring canary: promoted by hans, 1 of 1 succeeded, 0 failed
    ring broad opens
    install dee
sample dee load 3 ago=1h
    dee: load measured, 3
done
    verify dee
    dee: succeeded
    ring broad soaks until day 1, 10:00
sample dee load 2
    dee: load measured, 2
wait
    day 1, 10:00
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
