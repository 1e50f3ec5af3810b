# A restart counts for what was installed before it, and for nothing that comes after it.

patch p1
patch p2
ring all devices=ada
policy reboot=always
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    reboot ada
ok ada boot=b2
    verify ada
done
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
ok ada boot=b2
    q2: reboot ada
ok ada boot=b3
    q2: verify ada
done
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
