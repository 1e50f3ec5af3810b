# A device that the rollout has taken out of service is restarted by it before that is undone, whoever else would install there now: to put it back and to drain it again
# would cost more than a restart.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada,bob
device ada cluster=web
policy reboot=if-required budget="clusters: cluster 1 drained"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install bob
    ada: to be taken out of service before install
    drain ada
policy reboot=if-required
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q1: ok ada bob boot=b1
    q1: install ada
    q1: bob: let go before the restart, rollout acme:q2 would install there now: one restart serves both
    q1: bob: to be restarted day 1, 09:01
    q2: install bob
q1: ok ada boot=b1
    q1: reboot ada
done
    q1: verify ada
    q2: reboot bob
    q1: ada: to be put back into service, then succeeded
    q1: uncordon ada
    q2: verify bob
    q1: ada: back in service
    q1: ada: succeeded
    q2: bob: succeeded
    q2: ada: to be taken out of service before install
    q2: drain ada
    q2: install ada
    q2: reboot ada
    q2: verify ada
    q2: ada: to be put back into service, then succeeded
    q2: uncordon ada
    q2: ada: back in service
    q2: ada: succeeded
    q2: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q2: rollout is done
until day 1 09:01
    day 1, 09:01
    q1: reboot bob
done
    q1: verify bob
    q1: bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
