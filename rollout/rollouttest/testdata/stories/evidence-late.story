# A ring that has passed by proof can still fail by proof: its late devices count.

ring canary devices=d01,d02,d03,d04,d05,d06,d07,d08,d09,d10 maxactive=5 maxfailed=100% tolerate=20% below=50% confidence=80%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d03 d07 d04 d10 d02
done d03 d07 d04 d10
    verify d03 d04 d07 d10
    d03 d04 d07 d10: succeeded
    gate of ring canary: pass, 4 of 10 succeeded, 0 failed; of 5 begun 0 failed, e-value 0.692; proof to pass 10.7; rate 0% to 55.28%
    ring broad opens
    install d08 d05 d01 d06 zoe
fail d02 permanent
    d02: failed (permanent)
    install d09
fail d08 permanent
    d08: failed (permanent)
fail d05 permanent
    d05: failed (permanent)
fail d01 permanent
    d01: failed (permanent)
fail d06 permanent
    d06: failed (permanent)
fail d09 permanent
    d09: failed (permanent)
    gate of ring canary: fail, 6 of 10 failed (evidence); of 10 begun 6 failed, e-value 6.76; proof to pass 0.0325; rate 25.62% to 88.4%
    rollout is halted
    stop zoe
