# A host that slept while a device lapsed and came due again counts it once.

ring all devices=ada,bob denominator=reached
policy grace=2h offline-every=6h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob unreachable
    install bob again at day 1, 15:00 (unreachable)
sleep 24h
    day 2, 09:00
    bob: unreachable for too long to wait for
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    bob: unreachable
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob unreachable
