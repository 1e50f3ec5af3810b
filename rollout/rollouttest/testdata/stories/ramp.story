# A ring with a ramp begins with a few devices. When as many are well as there were places, the places are doubled.

devices 20
ring broad rest ramp=2 maxactive=7 maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring broad opens
    install d16 d8
done
    verify d16 d8
    d16 d8: succeeded
    install d10 d20 d2 d5
    verify d10 d2 d20 d5
    d10 d2 d20 d5: succeeded
    install 7 devices
    verify 7 devices
    7 devices: succeeded
    gate of ring broad: pass, 13 of 20 succeeded, 0 failed
    install 7 devices
    verify 7 devices
    7 devices: succeeded
    rollout is done
