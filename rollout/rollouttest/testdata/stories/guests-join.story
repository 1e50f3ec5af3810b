# A guest that joins is waited for, unless its host has been begun. A host that joins waits for its guests, and comes into no earlier ring.

device kvm
device vm1 host=kvm
device vm2 host=new
policy hosts=host joiners=admit maxactive=3
ring all rest
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install vm2 vm1
join vm3 host=kvm
    vm3 joins ring all
    install vm3
done vm1
    verify vm1
    vm1: succeeded
explain kvm
    waits for its guests vm3, 1 of 2
join new
    new joins ring all
explain new
    waits for its guests vm2, 1 of 1
done vm3
    verify vm3
    vm3: succeeded
    install kvm
join vm4 host=kvm
    vm4 joins ring all
    install vm4
explain kvm
    install is running since day 1, 09:00
    next: day 1, 13:00
leave vm2 retired
    vm2: no longer there; vm2 was being worked on
    stop vm2
    vm2: gone
    install new
explain new
    install is running since day 1, 09:00
    next: day 1, 13:00
join x host=x
    refused: device cannot join: device x: it would run on itself: x on x
join y host=kvm host=y
    refused: device cannot join: device y: it would run on itself: y on y
show
    active
      all: open
        kvm unsettled, install is running
        new unsettled, install is running
        vm1 succeeded
        vm2 gone
        vm3 succeeded
        vm4 unsettled, install is running
