# Work begins only while a window is open; an overnight window belongs to the day on which it starts.

ring all devices=ada,bob maxactive=1 window="sat 22:00-04:00"
policy attempts=2 backoff=3h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
explain ada
    the next window opens day 6, 22:00
    next: day 6, 22:00
wait
    day 6, 22:00
    install ada

# Whichever of them is first fails after midnight. The window is still open then, but not when the pause is over.
wait 3h
fail ada transient
    day 7, 01:00
    install ada again at day 7, 04:05 (transient)
    install bob
wait 1h
explain bob
    install is running since day 7, 01:00
    next: day 7, 05:00
done
    day 7, 02:00
    verify bob
    bob: succeeded
until day 13 21:00
wait
    day 13, 22:00
    install ada, attempt 2
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
        bob succeeded
