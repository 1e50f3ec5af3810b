# Who leaves because nobody reached it is in no denominator, but the floor of coverage is about everybody: a ring of which too little is known
# does not pass because the rest has left.

ring canary devices=ada,bob,cyd coverage=60%
ring broad devices=dan
policy grace=6h offline-every=5d offline-deadline=1d
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada
    verify ada
    ada: succeeded
fail bob cyd unreachable
    install bob cyd again at day 6, 09:00 (unreachable)
until day 2 09:00
    day 1, 15:00
    cyd bob: unreachable for too long to wait for
    gate of ring canary: inconclusive, 1 of 3 succeeded, 0 failed
    ring canary is held: inconclusive
    day 2, 09:00
    cyd bob: away (unreachable)
show
    active
      canary: held, inconclusive
        ada succeeded
        bob away
        cyd away
      broad: waiting
        dan unsettled
promote canary
    gate of ring canary: promoted by hans, 1 of 1 succeeded, 0 failed
    ring broad opens
    install dan
done
    verify dan
    dan: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob away
        cyd away
      broad: passed
        dan succeeded
