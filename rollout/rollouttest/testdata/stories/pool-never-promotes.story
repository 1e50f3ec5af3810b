# What goes well elsewhere promotes nothing: a ring that passes by proof only has the proof of its own devices, however many others succeeded. The same
# number of its own is enough.

devices 16
ring canary devices=d1,d2,d3,d4,d5,d6,d7,d8,d9,d10,d11,d12 maxactive=4 maxfailed=100% tolerate=10% below=50% pooled
ring broad rest
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d6 d4 d8 d5
gather p1 tenants=900 failing=0 devices=900000 failed=0
explain d13
    ring broad is not open: it waits for ring canary, 0 of 12 succeeded, 0 failed, 1 device missing; of 4 begun 0 failed, e-value 1; proof to pass 1; rate 0% to 100%
done d4 d5 d6 d8
    verify d4 d5 d6 d8
    d4 d5 d6 d8: succeeded
    install d7 d9 d2 d1
gather p1 tenants=900 failing=0 devices=900000 failed=0
gather p1 tenants=900 failing=9 devices=900000 failed=9
explain d13
    ring broad is not open: it waits for ring canary, 4 of 12 succeeded, 0 failed; of 8 begun 0 failed, e-value 0.692; proof to pass 10.7; rate 0% to 68.38%
done
    verify d1 d2 d7 d9
    d1 d2 d7 d9: succeeded
    gate of ring canary: pass, 8 of 12 succeeded, 0 failed; of 8 begun 0 failed, e-value 0.529; proof to pass 128; rate 0% to 47.75%
    ring broad opens
    install 8 devices
    verify 8 devices
    8 devices: succeeded
    gate of ring broad: pass, 4 of 4 succeeded, 0 failed
    rollout is done
explain d13
    settled: succeeded
show
    done
      canary: passed
        d1 succeeded
        d10 succeeded
        d11 succeeded
        d12 succeeded
        d2 succeeded
        d3 succeeded
        d4 succeeded
        d5 succeeded
        d6 succeeded
        d7 succeeded
        d8 succeeded
        d9 succeeded
      broad: passed
        d13 succeeded
        d14 succeeded
        d15 succeeded
        d16 succeeded
