# By its share kvm would come into the first ring, but a guest of it is claimed by the second: so it is moved there, and with it the rack that it runs on
# itself. vm1 stays where it is. An urgent host waits as well.

device rack
device kvm host=rack
device vm1 host=kvm
ring first rest
ring second devices=vm2
device vm2 host=kvm
policy hosts=host
start q1
    day 1, 09:00
    rollout is active, by olga
    ring first opens
    install vm1
escalate kvm p1 exploited
    p1 has become urgent on kvm: it is known to be exploited
explain kvm
    ring second is not open: it waits for ring first, 0 of 1 succeeded (0% < 100%), 0 failed, 1 device missing
    waits for its guests vm1 vm2, 2 of 2
done
    verify vm1
    vm1: succeeded
    gate of ring first: pass, 1 of 1 succeeded, 0 failed
    ring second opens
    install vm2
    verify vm2
    vm2: succeeded
    install kvm
    verify kvm
    kvm: succeeded
    install rack
    verify rack
    rack: succeeded
    gate of ring second: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      first: passed
        vm1 succeeded
      second: passed
        kvm succeeded
        rack succeeded
        vm2 succeeded
