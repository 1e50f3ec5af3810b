# By best effort a backup is tried once: without one the device is patched all the same, and it is written down that it has none.

ring all devices=ada,bob
policy backup=best-effort
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada bob
fail ada disk-full
    ada: not backed up (disk-full), and patched all the same
    install ada
ok bob
    bob: backed up
    install bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
