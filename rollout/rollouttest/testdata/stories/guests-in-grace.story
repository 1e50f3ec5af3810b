# Where the policy says so, a guest that is unreachable for longer than the grace keeps its host waiting no more. One that comes back before the
# host is begun is waited for again.

device kvm
device vm1 host=kvm
device vm2 host=kvm
policy hosts=host guests=await-in-grace grace=2h offline-every=6h window="daily 09:00-10:00 UTC"
ring all rest minsuccess=30%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install vm2 vm1
done vm1
    verify vm1
    vm1: succeeded
    gate of ring all: pass, 1 of 3 succeeded, 0 failed
fail vm2 unreachable
    install vm2 again at day 1, 15:00 (unreachable)
explain kvm
    waits for its guests vm2, 1 of 2
until day 1 12:00
    day 1, 11:00
    vm2: unreachable for too long to wait for
explain kvm
    the next window opens day 2, 09:00
    next: day 2, 09:00
seen vm2
    day 1, 12:00
    vm2: seen again
explain kvm
    the next window opens day 2, 09:00
    waits for its guests vm2, 1 of 2
    next: day 2, 09:00
until day 2 09:00
    day 2, 09:00
    install vm2
explain kvm
    waits for its guests vm2, 1 of 2
fail vm2 unreachable
    install vm2 again at day 2, 15:00 (unreachable)
until day 3 09:00
    day 2, 11:00
    vm2: unreachable for too long to wait for
    day 3, 09:00
    install vm2 kvm
done kvm
    verify kvm
    kvm: succeeded
show
    active
      all: passed, 1 queued
        kvm succeeded
        vm1 succeeded
        vm2 unsettled, install is running
