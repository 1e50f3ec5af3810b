# A device that is unreachable keeps no place in the ramp, so that laptops that are switched off do not hold the others up.

devices 12
ring broad rest ramp=2 maxfailed=50% minsuccess=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring broad opens
    install d8 d10
fail unreachable
    install d10 d8 again at day 1, 10:00 (unreachable)
    install d2 d5
done
    verify d2 d5
    d2 d5: succeeded
    install d1 d3 d11 d6
    verify d1 d11 d3 d6
    d1 d11 d3 d6: succeeded
    gate of ring broad: pass, 6 of 12 succeeded, 0 failed
    install d12 d7 d4 d9
    verify d12 d4 d7 d9
    d12 d4 d7 d9: succeeded
