# Nobody reaches vm2. The host waits for it all the same: that it is away says nothing of what would become of it. The ring is held, for nothing happens
# there by itself any more. It goes on when vm2 is seen, and is held again when that is lost once more; then a person promotes it, and the rollout ends. The
# host was not patched, and nobody says that it was unreachable.

device kvm
device vm1 host=kvm
device vm2 host=kvm
policy hosts=host grace=2h offline-every=1h
ring all rest
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install vm2 vm1
done vm1
    verify vm1
    vm1: succeeded
fail vm2 unreachable
    install vm2 again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    install vm2
fail vm2 unreachable
    install vm2 again at day 1, 11:00 (unreachable)
wait 1h
    day 1, 11:00
    vm2: unreachable for too long to wait for
    gate of ring all: inconclusive, 1 of 3 succeeded, 0 failed
    ring all is held: inconclusive
    install vm2
fail vm2 unreachable
    install vm2 again at day 1, 12:00 (unreachable)
explain kvm
    waits for its guests vm2, 1 of 2; 1 of these are unreachable for too long
crash
seen vm2
    vm2: seen again
    ring all is open again
    install vm2
explain kvm
    waits for its guests vm2, 1 of 2
fail vm2 unreachable
    install vm2 again at day 1, 12:00 (unreachable)
wait 1h
    day 1, 12:00
    install vm2
fail vm2 unreachable
    install vm2 again at day 1, 13:00 (unreachable)
wait 1h
    day 1, 13:00
    vm2: unreachable for too long to wait for
    gate of ring all: inconclusive, 1 of 3 succeeded, 0 failed
    ring all is held: inconclusive
    install vm2
fail vm2 unreachable
    install vm2 again at day 1, 14:00 (unreachable)
promote all reason="that will do"
    gate of ring all: promoted by hans, 1 of 3 succeeded, 0 failed: that will do
    kvm: cancelled
    vm2: unreachable
    rollout is done
show
    done
      all: passed
        kvm cancelled
        vm1 succeeded
        vm2 unreachable
