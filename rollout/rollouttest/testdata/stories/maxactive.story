# No more devices are worked on at once than the ring and the rollout allow; a place that is free is taken at once.

ring canary devices=ada,bob,cyd maxactive=1
ring broad devices=dee,eve,fay
policy maxactive=2
start q1 salt=3
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install bob
explain ada
    1 of 1 devices are being worked on in ring canary
done
    verify bob
    bob: succeeded
    install cyd
    verify cyd
    cyd: succeeded
    install ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed
    ring broad opens
    install eve dee
    verify dee eve
    dee eve: succeeded
    install fay
    verify fay
    fay: succeeded
    gate of ring broad: pass, 3 of 3 succeeded, 0 failed
    rollout is done
