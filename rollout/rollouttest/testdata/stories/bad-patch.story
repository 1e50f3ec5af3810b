# A bad patch stops in the first ring: no more devices are touched than are worked on there at once.

devices 40
ring canary share=10% maxactive=2 soak=24h
ring broad rest
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d16 d8

# One failure is more than the ring tolerates. Nothing more is begun, and what runs is asked to stop.
fail d16 permanent "0x80070643"
    d16: failed (permanent)
    gate of ring canary: fail, 1 of 4 failed
    rollout is halted
    stop d8
stopped d8
    install d8 again at day 1, 09:00
wait 72h
explain d1
    the rollout is halted
    ring broad is not open: it waits for ring canary, 0 of 4 succeeded (0% < 100%), 1 failed, 4 devices missing
