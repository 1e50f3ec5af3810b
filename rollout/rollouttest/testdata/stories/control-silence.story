# Devices that say nothing any more after the patch are not well; one that says nothing and got none counts the same.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd,dan,eva,fox control=6 watched=12h sure=90% maxfailed=50%
ring broad devices=fay,gus,hal,ida,jan,kim
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install 6 devices
sample - boot 20 ago=1h
    12 devices: boot measured
done
    verify 6 devices
    6 devices: succeeded
    ring canary: 6 devices watched beside 6 devices, which get nothing yet, until day 1, 21:00
wait 6h
sample gus,hal,ida,jan,kim boot 21
    day 1, 15:00
    gus hal ida jan kim: boot measured, 21 21 21 21 21
wait 6h
    day 1, 21:00
    ring canary: 6 of 6 worse beside 1 of 6 that got nothing; nothing known of 7
    gate of ring canary: fail, 0 of 6 failed (control); 6 of 6 worse beside 1 of 6 that got nothing, e-value 19.2
    rollout is halted
