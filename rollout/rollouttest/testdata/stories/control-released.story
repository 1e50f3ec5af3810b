# Devices that are watched beside others get their patch with their own ring, once the gate has passed.

policy metric="boot up 30%"
ring canary devices=ada,bob control=2 least=2 watched=12h
ring broad devices=fay,gus
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
sample - boot 20 ago=1h
    ada bob gus fay: boot measured, 20 20 20 20
done
    verify ada bob
    ada bob: succeeded
    ring canary: ada bob watched beside gus fay, which get nothing yet, until day 1, 21:00
wait 6h
sample - boot 22
    day 1, 15:00
    ada bob gus fay: boot measured, 22 22 22 22
wait 6h
    day 1, 21:00
    ring canary: 0 of 2 worse beside 0 of 2 that got nothing
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed; 0 of 2 worse beside 0 of 2 that got nothing, e-value 1
    ring broad opens
    install gus fay
done
    verify fay gus
    fay gus: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
wait
    there is nothing to wait for
