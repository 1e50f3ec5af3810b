# All rings have passed. Without a deadline the rollout would end after the grace, without bob; with one it waits for him until that. He
# comes back in time, and dan does not.

ring all devices=ada,bob,cyd,dan denominator=reached
policy grace=6h offline-every=5d offline-deadline=3d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada dan bob
done ada cyd
    verify ada cyd
    ada cyd: succeeded
fail bob dan unreachable
    install bob dan again at day 6, 09:00 (unreachable)
wait
    day 1, 15:00
    dan bob: unreachable for too long to wait for
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
wait 30h
seen bob
    day 2, 21:00
    bob: seen again
    install bob
done
    verify bob
    bob: succeeded
show
    active
      all: passed, 1 queued
        ada succeeded
        bob succeeded
        cyd succeeded
        dan unsettled
wait
    day 4, 09:00
    dan: away (unreachable)
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
        cyd succeeded
        dan away
