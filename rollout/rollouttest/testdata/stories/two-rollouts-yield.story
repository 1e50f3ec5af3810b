# Two rollouts install on the same device, and either may restart it at any hour. The first lets the device go before its restart, as the second would
# install there now: one restart serves both, and the boot that is reported to the second proves it.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada
policy reboot=if-required
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q2: explain ada
    its turn has come
q1: ok ada boot=b1
    q1: ada: let go before the restart, rollout acme:q2 would install there now: one restart serves both
    q1: ada: to be restarted day 1, 09:01
    q2: install ada
q1: explain ada
    let rollout acme:q2 install first: one restart serves both
    next: day 1, 09:01
until day 1 09:02
q1: explain ada
    let rollout acme:q2 install first: one restart serves both
q2: ok ada boot=b1
    day 1, 09:02
    q2: reboot ada
q2: ok ada boot=b2
    q2: verify ada
    q1: ada: restart shared with rollout acme:q2
q1: explain ada
    its turn has come
    its restart was that of rollout acme:q2, or came while that was at work there
done
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded
