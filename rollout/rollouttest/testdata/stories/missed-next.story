# A device that was away when its window closed waits for the next one, if the policy says nothing else.

ring all devices=ada,bob
policy window="daily 22:00-02:00" offline-every=8h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 22:00
    install ada bob
fail bob unreachable
    install bob again at day 2, 06:00 (unreachable)
done ada
    verify ada
    ada: succeeded
until day 2 10:00
seen bob
    day 2, 10:00
    bob: seen again
explain bob
    the next window opens day 2, 22:00
    next: day 2, 22:00
wait
    day 2, 22:00
    install bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
