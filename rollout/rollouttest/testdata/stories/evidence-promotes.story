# Proof that fewer than half fail opens the next ring before all devices of this one have answered. Devices count in the order in which they
# were begun: however many successes come after one that has not answered, they prove nothing yet.

ring canary devices=d01,d02,d03,d04,d05,d06,d07,d08,d09,d10,d11,d12 maxactive=5 maxfailed=100% tolerate=10% below=50%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d03 d07 d04 d10 d02
done d07 d04 d10 d02
    verify d02 d04 d07 d10
    d02 d04 d07 d10: succeeded
    install d11 d08 d12 d05
done d01 d05
    verify d05
    d05: succeeded
    install d01
    verify d01
    d01: succeeded
    install d06
explain zoe
    ring broad is not open: it waits for ring canary, 6 of 12 succeeded, 0 failed; of 11 begun 0 failed, e-value 1; proof to pass 1; rate 0% to 100%
done d03
    verify d03
    d03: succeeded
    install d09
done d11
    verify d11
    d11: succeeded
    gate of ring canary: pass, 8 of 12 succeeded, 0 failed; of 12 begun 0 failed, e-value 0.6; proof to pass 36.7; rate 0% to 56.12%
    ring broad opens
    install zoe
