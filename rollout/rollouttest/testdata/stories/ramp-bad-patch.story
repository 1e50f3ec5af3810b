# A ramp bounds what a bad patch touches, however tolerant the gate is and however often a device is tried: no device is begun beyond
# the places that there are at first.

policy attempts=2
devices 40
ring broad rest ramp=3 maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring broad opens
    install d16 d8 d38
explain d1
    3 of 3 places in ring broad are taken: there are more once devices are well
fail transient
    install d16 d38 d8 again at day 1, 09:10 (transient)
wait
    day 1, 09:10:17
    install d8, attempt 2
fail permanent
    d8: failed (permanent)
explain d1
    3 of 3 places in ring broad are taken: there are more once devices are well
wait 72h
    day 1, 09:10:26
    install d16, attempt 2
    day 1, 09:11:05
    install d38, attempt 2
    day 1, 13:10:26
    d16: no answer in time
    verify d16
    day 1, 13:11:05
    d38: no answer in time
    verify d38
    day 1, 17:10:26
    d16: no answer in time
    verify d16 again at day 1, 17:21 (transient)
    day 1, 17:11:05
    d38: no answer in time
    verify d38 again at day 1, 17:21 (transient)
    day 1, 17:21:17
    verify d38
    day 1, 17:21:36
    verify d16
    day 1, 21:21:17
    d38: no answer in time
    d38: failed (transient)
    day 1, 21:21:36
    d16: no answer in time
    d16: failed (transient)
    gate of ring broad: inconclusive, 0 of 40 succeeded, 3 failed (ramp)
    ring broad is held: ramp
promote broad by=hans reason="known, and harmless"
    day 4, 09:10:17
    gate of ring broad: promoted by hans, 0 of 40 succeeded, 3 failed: known, and harmless
    install 37 devices
