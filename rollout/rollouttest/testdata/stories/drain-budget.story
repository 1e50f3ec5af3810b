# A node that is out of service is disrupted: as long as it is drained, and until it is back, no other of its cluster is begun. One that was busy is put
# back before it is tried again, and leaves its place to the next one meanwhile.

ring all devices=ada,bob
device ada cluster=west
device bob cluster=west
policy budget="clusters: cluster 1 drained"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada: to be taken out of service before install
    drain ada
explain bob
    budget clusters: 1 of 1 disrupted at cluster west
ok ada
    install ada
fail ada busy
    install ada again at day 1, 09:05 (busy)
    ada: to be put back into service
    uncordon ada
explain bob
    budget clusters: 1 of 1 disrupted at cluster west
ok ada
    ada: back in service
    bob: to be taken out of service before install
    drain bob
ok bob
    install bob
done bob
    verify bob
    bob: to be put back into service, then succeeded
    uncordon bob
    bob: back in service
    bob: succeeded
wait 10m
    day 1, 09:05
    ada: to be taken out of service before install
    drain ada
done
    day 1, 09:10
    install ada
    verify ada
    ada: to be put back into service, then succeeded
    uncordon ada
    ada: back in service
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
