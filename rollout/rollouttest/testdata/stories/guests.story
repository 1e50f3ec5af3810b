# Three virtual machines run on kvm. It is begun when all of them are settled, and not before, although its ring is open and there is room: failed or
# skipped is settled too. It takes no place meanwhile, and is next as soon as the last of them is settled. A host that is not in the rollout means nothing.

device kvm
device vm1 host=kvm
device vm2 host=kvm
device vm3 host=kvm
device pod host=elsewhere
device pad
policy hosts=host maxactive=1
ring all rest ramp=2 maxfailed=60% minsuccess=40%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install pad
explain kvm
    waits for its guests vm2 vm1 vm3, 3 of 3
    1 of 1 devices are being worked on
grant kvm
done pod
fail permanent
    pad: failed (permanent)
    install pod
explain kvm
    waits for its guests vm2 vm1 vm3, 3 of 3
    1 of 1 devices are being worked on
    2 of 2 places in ring all are taken: there are more once devices are well
skip vm3
    vm3: skipped
explain kvm
    waits for its guests vm2 vm1, 2 of 3
    1 of 1 devices are being worked on
    2 of 2 places in ring all are taken: there are more once devices are well
done pad
explain kvm
    waits for its guests vm2 vm1, 2 of 3
    1 of 1 devices are being worked on
    2 of 2 places in ring all are taken: there are more once devices are well
crash
    again: install pod
done vm2
done
    verify pod
    pod: succeeded
    install vm2
    verify vm2
    vm2: succeeded
    gate of ring all: pass, 2 of 5 succeeded, 1 failed
    install vm1
    verify vm1
    vm1: succeeded
    install kvm
    verify kvm
    kvm: succeeded
    rollout is done
show
    done
      all: passed
        kvm succeeded
        pad failed
        pod succeeded
        vm1 succeeded
        vm2 succeeded
        vm3 skipped
