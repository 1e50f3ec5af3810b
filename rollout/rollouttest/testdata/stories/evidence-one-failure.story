# One failure may have any reason: alone it proves nothing, however little is tolerated.

ring canary devices=d01,d02,d03,d04 maxfailed=50% tolerate=0.1%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d03 d04 d02 d01
fail d01 permanent
    d01: failed (permanent)
done d02 d03 d04
    verify d02 d03 d04
    d02 d03 d04: succeeded
    gate of ring canary: pass, 3 of 4 succeeded, 1 failed; of 4 begun 1 failed, e-value 58.4; rate 0.25% to 85.72%
    ring broad opens
    install zoe
