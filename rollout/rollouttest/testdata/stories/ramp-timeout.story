# A ring whose ramp lets nothing begin any more, and whose gate has run out of time before that, waits for a person. No window that
# opens later changes anything, and so none is waited for.

policy attempts=1 window="mon-sun 22:00-04:00 UTC"
devices 20
ring broad rest ramp=2 timeout=30m maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring broad opens
wait
    day 1, 09:30
    gate of ring broad: inconclusive, 0 of 20 succeeded, 0 failed (timeout)
    ring broad is held: timeout
wait
    day 1, 22:00
    install d16 d8
fail permanent
    d16 d8: failed (permanent)
explain d1
    2 of 2 places in ring broad are taken: there are more once devices are well
until day 2 05:00
wait
    there is nothing to wait for
promote broad by=hans reason="known, and harmless"
    day 2, 05:00
    gate of ring broad: promoted by hans, 0 of 20 succeeded, 2 failed: known, and harmless
wait
    day 2, 22:00
    install 18 devices
