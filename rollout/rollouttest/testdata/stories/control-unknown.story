# Of devices whose own baseline nobody knows nothing can be said: they are compared with nobody.

policy metric="boot up 30%"
ring canary devices=ada,bob control=2 watched=12h
ring broad devices=fay,gus
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
sample fay,gus boot 20 ago=1h
    fay gus: boot measured, 20 20
done
    verify ada bob
    ada bob: succeeded
    ring canary: nobody to compare 2 of its devices with
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install gus fay
    verify fay gus
    fay gus: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
