# Three rollouts, one restart. The second lets the device go for the third, as the first has done for the second; the first, which would restart the device by now,
# waits until the third has begun there, and for its restart then.

patch p1 reboot=always
patch p2 reboot=always
patch p3 reboot=always
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
start q3 patches=p3
    q3: rollout is active, by olga
    q3: ring all opens
q1: ok ada boot=b1
    q1: ada: let go before the restart, rollout acme:q2 would install there now: one restart serves both
    q1: ada: to be restarted day 1, 09:01
    q2: install ada
until day 1 09:05
q2: ok ada boot=b1
    day 1, 09:05
    q2: ada: let go before the restart, rollout acme:q3 would install there now: one restart serves both
    q2: ada: to be restarted day 1, 09:06
    q3: install ada
q1: explain ada
    let rollout acme:q2 install first: one restart serves both
q3: ok ada boot=b1
    q3: reboot ada
q3: ok ada boot=b2
    q3: verify ada
    q1: ada: restart shared with rollout acme:q3
    q2: ada: restart shared with rollout acme:q3
done
    q3: ada: succeeded
    q3: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q3: rollout is done
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded
    q3: done
      all: passed
        ada succeeded
