# Where it takes at least three devices that got nothing to compare with, and of one nothing was known before, a gate that is good
# enough otherwise does not pass by itself. A person decides; from then on nothing is compared.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd control=3 least=3 watched=12h soak=1h
ring broad devices=fay,gus,hal
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
sample ada,bob,cyd,fay,gus boot 20 ago=1h
    ada bob cyd fay gus: boot measured, 20 20 20 20 20
done
    verify ada bob cyd
    ada bob cyd: succeeded
    ring canary: ada bob cyd watched beside gus fay, which get nothing yet, until day 1, 21:00
    ring canary soaks until day 1, 10:00
wait 1h
sample ada,bob,cyd,fay,gus boot 20
    day 1, 10:00
    ada bob cyd fay gus: boot measured, 20 20 20 20 20
explain fay
    ring broad is not open: it waits for ring canary, 3 of 3 succeeded, 0 failed
    ring canary: 3 of its devices are watched beside others that get nothing, until day 1, 21:00
    ring canary: 0 devices that got nothing were counted, and it takes 3
    ring canary soaks until day 1, 10:00
    next: day 1, 10:00
wait 11h
    day 1, 21:00
    ring canary: 0 of 3 worse beside 0 of 2 that got nothing
    gate of ring canary: inconclusive, 3 of 3 succeeded, 0 failed (control); 0 of 3 worse beside 0 of 2 that got nothing, e-value 1
    ring canary is held: control
explain fay
    ring broad is not open: it waits for ring canary, 3 of 3 succeeded, 0 failed; 0 of 3 worse beside 0 of 2 that got nothing, e-value 1
    ring canary: 2 devices that got nothing were counted, and it takes 3
    ring canary is held: control
promote canary
    gate of ring canary: promoted by hans, 3 of 3 succeeded, 0 failed; 0 of 3 worse beside 0 of 2 that got nothing, e-value 1
    ring broad opens
    install gus hal fay
done
    verify fay gus hal
    fay gus hal: succeeded
    gate of ring broad: pass, 3 of 3 succeeded, 0 failed
    rollout is done
