# A node that cannot be taken out of service is left as it was: nothing is installed there, and it is put back in case it was half out. The drain is
# tried again as an installation would be; after as many tries the device has failed. So has one that says at once that it never can be. One that
# is busy, or cannot be reached before the drain runs, was never touched, and is not put back.

ring all devices=ada,bob,eve maxfailed=70%
policy budget="clusters: - drained" attempts=2
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    eve ada bob: to be taken out of service before install
    drain eve ada bob
fail ada transient
    drain ada again at day 1, 09:10 (transient)
    ada: to be put back into service
    uncordon ada
ok ada
    ada: back in service
fail bob permanent
    bob: to be put back into service, then failed
    uncordon bob
ok bob
    bob: back in service
    bob: failed (permanent)
fail eve busy
    drain eve again at day 1, 09:05 (busy)
wait 5m
    day 1, 09:05
    eve: to be taken out of service before install
    drain eve
fail eve unreachable
    drain eve again at day 1, 10:05 (unreachable)
explain ada
    install is tried again at day 1, 09:10 (transient)
    it could not be taken out of service for install: 1 of 2 tries have failed
    next: day 1, 09:10:19
wait 30m
    day 1, 09:10:19
    ada: to be taken out of service before install
    drain ada
fail ada transient
    day 1, 09:35
    ada: to be put back into service, then failed
    uncordon ada
explain ada
    uncordon is running since day 1, 09:35
    next: day 1, 10:35
ok ada
    ada: back in service
    ada: failed (transient)
explain ada
    settled: failed (transient)
seen eve
    eve: seen again
    eve: to be taken out of service before install
    drain eve
ok eve
    install eve
done
    verify eve
    eve: to be put back into service, then succeeded
    uncordon eve
    eve: back in service
    eve: succeeded
    gate of ring all: pass, 1 of 3 succeeded, 2 failed
    rollout is done
show
    done
      all: passed
        ada failed
        bob failed
        eve succeeded
