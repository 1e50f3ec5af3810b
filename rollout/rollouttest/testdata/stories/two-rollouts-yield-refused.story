# No device is let go before its restart for a rollout that comes after the own one, for one that would restart it before it installs, for one that restarts
# nothing, or where it might be too late for a restart of its own. Each restarts it by itself.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada
policy reboot=if-required priority=2
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
policy reboot=if-required priority=1
start lower patches=p2
    lower: rollout is active, by olga
    lower: ring all opens
q1: ok ada boot=b1
    q1: reboot ada
done
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
    lower: install ada
    lower: reboot ada
    lower: verify ada
    lower: ada: succeeded
    lower: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    lower: rollout is done
policy reboot=if-required priority=1
start q2 patches=p1
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
policy reboot=never priority=1
start never patches=p2
    never: rollout is active, by olga
    never: ring all opens
q2: ok ada boot=b2
    q2: reboot ada
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
    never: install ada
    never: verify ada
    never: ada: succeeded, a restart is owed
    never: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    never: rollout is done
policy reboot=if-required reboot-window="daily 08:00-09:30"
start q3 patches=p1
    q3: rollout is active, by olga
    q3: ring all opens
    q3: install ada
policy reboot=if-required
start late patches=p2
    late: rollout is active, by olga
    late: ring all opens
q3: ok ada boot=b3
    q3: reboot ada
done
    q3: verify ada
    q3: ada: succeeded
    q3: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q3: rollout is done
    late: install ada
    late: reboot ada
    late: verify ada
    late: ada: succeeded
    late: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    late: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    lower: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded
    never: done
      all: passed
        ada succeeded, owes a restart
    q3: done
      all: passed
        ada succeeded
    late: done
      all: passed
        ada succeeded
