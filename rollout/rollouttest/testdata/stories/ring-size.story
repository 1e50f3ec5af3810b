# A ring by size takes exactly as many devices, however large the fleet is; shares are taken of what is left.

devices 40
ring canary size=2
ring pilot share=50%
ring broad rest
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d16 d8
done
    verify d16 d8
    d16 d8: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring pilot opens
    install 19 devices
    verify 19 devices
    19 devices: succeeded
    gate of ring pilot: pass, 19 of 19 succeeded, 0 failed
    ring broad opens
    install 19 devices
    verify 19 devices
    19 devices: succeeded
    gate of ring broad: pass, 19 of 19 succeeded, 0 failed
    rollout is done
