# A patch makes devices slower. The thresholds of the gate tolerate that, but those that get nothing yet are well, and that proves it.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd,dan,eva control=5 watched=12h maxfailed=100% minsuccess=0%
ring broad devices=fay,gus,hal,ida,jan,kim
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install eva cyd ada dan bob
sample - boot 20 ago=1h
    11 devices: boot measured
done
    verify ada bob cyd dan eva
    ada bob cyd dan eva: succeeded
    ring canary: ada bob cyd dan eva watched beside jan gus hal fay ida, which get nothing yet, until day 1, 21:00
explain fay
    ring broad is not open: it waits for ring canary, 5 of 5 succeeded, 0 failed
    ring canary: 5 of its devices are watched beside others that get nothing, until day 1, 21:00
    next: day 1, 21:00
wait 1h
sample fay,gus,hal,ida,jan,kim boot 21
    day 1, 10:00
    kim: boot measured, 21
    fay gus hal ida jan: boot measured, 21 21 21 21 21
sample ada,bob,cyd,dan,eva boot 40
    ada bob cyd dan eva: boot measured, 40 40 40 40 40
    ada: worse than before, boot 40 after 20, limit 26
    bob: worse than before, boot 40 after 20, limit 26
    cyd: worse than before, boot 40 after 20, limit 26
    dan: worse than before, boot 40 after 20, limit 26
    eva: worse than before, boot 40 after 20, limit 26
wait 11h
    day 1, 21:00
    ring canary: 5 of 5 worse beside 0 of 5 that got nothing
    gate of ring canary: fail, 5 of 5 failed (control); 5 of 5 worse beside 0 of 5 that got nothing, e-value 135
    rollout is halted
show
    halted
      canary: failed
        ada succeeded, worse than before
        bob succeeded, worse than before
        cyd succeeded, worse than before
        dan succeeded, worse than before
        eva succeeded, worse than before
      broad: waiting
        fay unsettled
        gus unsettled
        hal unsettled
        ida unsettled
        jan unsettled
        kim unsettled
explain fay
    the rollout is halted
    ring broad is not open: it waits for ring canary, 0 of 5 succeeded, 5 failed; 5 of 5 worse beside 0 of 5 that got nothing, e-value 135
