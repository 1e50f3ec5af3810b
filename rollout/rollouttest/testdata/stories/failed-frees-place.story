# A device that has failed for good keeps no place: the next one gets it.

ring all devices=ada,bob maxactive=1 maxfailed=50%
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail permanent
    ada: failed (permanent)
    install bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 1 failed
    rollout is done
show
    done
      all: passed
        ada failed
        bob succeeded
