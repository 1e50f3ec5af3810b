# A ring may pass by its first devices, as its gate is tolerant, and then fill its ramp with devices that fail. It is held then: those that are left would wait for ever, and nobody
# would be asked. What is open already goes on.

devices 14
ring first share=90% ramp=2 minsuccess=10% maxfailed=90%
ring rest rest minsuccess=10% maxfailed=90%
policy attempts=1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring first opens
    install d8 d10
done d8 d10
    verify d10 d8
    d10 d8: succeeded
    gate of ring first: pass, 2 of 13 succeeded, 0 failed
    ring rest opens
    install d2 d5 d14 d1 d13
fail d2 d5 d14 d1 permanent
    d2 d5 d14 d1: failed (permanent)
    gate of ring first: inconclusive, 2 of 13 succeeded, 4 failed (ramp)
    ring first is held: ramp
explain d11
    4 of 4 places in ring first are taken: there are more once devices are well
done
    verify d13
    d13: succeeded
    gate of ring rest: pass, 1 of 1 succeeded, 0 failed
promote first
    gate of ring first: promoted by hans, 2 of 13 succeeded, 4 failed
    install 7 devices
