# Two failures among the first seven devices prove that more than one in fifty fails, long before the threshold of half the ring says so.

ring canary devices=d01,d02,d03,d04,d05,d06,d07,d08,d09,d10,d11,d12,d13,d14,d15,d16,d17,d18,d19,d20 maxactive=5 maxfailed=50% tolerate=2%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d16 d03 d07 d04 d10
done d16
    verify d16
    d16: succeeded
    install d20
fail d03 permanent
    d03: failed (permanent)
    install d14
explain zoe
    ring broad is not open: it waits for ring canary, 1 of 20 succeeded (5% < 50%), 1 failed, 9 devices missing; of 7 begun 1 failed, e-value 4.91; rate 0.84% to 99.16%
fail d07 permanent
    d07: failed (permanent)
    gate of ring canary: fail, 2 of 20 failed (evidence); of 7 begun 2 failed, e-value 41.7; rate 6.68% to 99.58%
    rollout is halted
    stop d04 d10 d20 d14
show
    halted
      canary: failed
        d01 unsettled
        d02 unsettled
        d03 failed
        d04 unsettled, install is running
        d05 unsettled
        d06 unsettled
        d07 failed
        d08 unsettled
        d09 unsettled
        d10 unsettled, install is running
        d11 unsettled
        d12 unsettled
        d13 unsettled
        d14 unsettled, install is running
        d15 unsettled
        d16 succeeded
        d17 unsettled
        d18 unsettled
        d19 unsettled
        d20 unsettled, install is running
      broad: waiting
        zoe unsettled
