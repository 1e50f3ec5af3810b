# A node of a cluster is taken out of service before anything is installed there, stays out through its restart, and is put back once it is known to
# be well. Only then has it succeeded, and only then may the next one of the cluster be begun. A device that carries no load is not drained.

ring all devices=ada,bob,eve
policy budget="clusters: cluster 1 drained" reboot=if-required
device ada cluster=west
device bob cluster=west
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve
    ada: to be taken out of service before install
    drain ada
ok ada
    install ada
ok ada reboot=yes
    reboot ada
explain ada
    reboot is running since day 1, 09:00
    next: day 1, 09:30
ok ada
    verify ada
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
explain ada
    uncordon is running since day 1, 09:00
    next: day 1, 10:00
explain bob
    budget clusters: 1 of 1 disrupted at cluster west
ok ada
    ada: back in service
    ada: succeeded
    bob: to be taken out of service before install
    drain bob
done
    install bob
    verify eve
    verify bob
    eve: succeeded
    bob: to be put back into service, then succeeded
    uncordon bob
    bob: back in service
    bob: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
        eve succeeded
