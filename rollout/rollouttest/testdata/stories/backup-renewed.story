# A backup gets too old while a device waits: then another is made. Once an attempt may have changed the device, the one from before is kept.

ring all devices=ada,bob
policy backup=required attempts=3 backoff=30m busy-every=30m
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada bob
ok
    ada bob: backed up
    install ada bob
fail ada busy
    install ada again at day 1, 09:30 (busy)
fail bob transient
    install bob again at day 1, 09:33 (transient)
wait 1h
    day 1, 09:30
    backup ada
    day 1, 09:33:39
    install bob, attempt 2
ok ada
    day 1, 10:00
    ada: backed up
    install ada
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded, 2 attempts
