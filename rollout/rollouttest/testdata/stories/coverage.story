# A coverage floor keeps a ring from passing on the word of the few that were reached.

ring canary devices=ada,bob,cyd,dee denominator=reached coverage=75%
ring broad devices=eve
policy grace=1h offline-every=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada dee bob
fail bob cyd unreachable
    install bob cyd again at day 1, 10:00 (unreachable)
done
    verify ada dee
    ada dee: succeeded
wait
    day 1, 10:00
    cyd bob: unreachable for too long to wait for
    gate of ring canary: inconclusive, 2 of 2 succeeded, 0 failed
    ring canary is held: inconclusive
    install cyd bob
fail bob cyd unreachable
    install bob cyd again at day 1, 11:00 (unreachable)
show
    active
      canary: held, inconclusive, 2 queued
        ada succeeded
        bob unsettled
        cyd unsettled
        dee succeeded
      broad: waiting
        eve unsettled
seen bob
    bob: seen again
    ring canary is open again
    install bob
done bob
    verify bob
    bob: succeeded
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed
    ring broad opens
    install eve
