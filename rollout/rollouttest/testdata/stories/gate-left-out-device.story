# A device that is left out leaves the denominator too: the ring can still reach its threshold.

ring canary devices=ada,bob,cyd maxactive=1 minsuccess=100%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd
skip bob
    bob: skipped
done
    verify cyd
    cyd: succeeded
    install ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install zoe
    verify zoe
    zoe: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
