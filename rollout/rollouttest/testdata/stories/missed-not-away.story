# Nobody has missed a window who waited in it for a place, or was away only while it was closed.

ring all devices=ada,bob maxactive=1
policy window="daily 22:00-02:00" missed=asap offline-every=8h timeout=8h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 22:00
    install ada
until day 2 03:00
fail ada unreachable
    day 2, 03:00
    install ada again at day 2, 11:00 (unreachable)
wait 1h
seen ada
    day 2, 04:00
    ada: seen again
seen bob
explain ada
    the next window opens day 2, 22:00
    next: day 2, 22:00
explain bob
    the next window opens day 2, 22:00
    next: day 2, 22:00
wait
    day 2, 22:00
    install ada
done
    verify ada
    ada: succeeded
    install bob
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
