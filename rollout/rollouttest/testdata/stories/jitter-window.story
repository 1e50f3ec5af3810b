# Turns end before the window does. The jitter of three hours is cut to the hour that is left when the ring opens, and what did not fit into
# the first window begins with the next one, in its turn again.

ring all devices=ada,bob,cyd,dan window="daily 08:00-10:00 UTC" maxactive=1
policy jitter=3h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd
explain dan
    starts are spread: its turn comes day 1, 09:30
    1 of 1 devices are being worked on in ring all
    next: day 1, 09:30
until day 1 09:40
explain dan
    1 of 1 devices are being worked on in ring all
crash
    day 1, 09:40
    again: install cyd
until day 1 11:00
done
    day 1, 11:00
    verify cyd
    cyd: succeeded
explain ada
    the next window opens day 2, 08:00
    next: day 2, 08:00
until day 2 08:20
explain ada
    starts are spread: its turn comes day 2, 08:30
    next: day 2, 08:30
until day 2 08:30
    day 2, 08:30
    install ada
crash
    again: install ada
done
    verify ada
    ada: succeeded
until day 2 09:40
    day 2, 09:00
    install dan
explain bob
    1 of 1 devices are being worked on in ring all
done
    day 2, 09:40
    verify dan
    dan: succeeded
    install bob
    verify bob
    bob: succeeded
    gate of ring all: pass, 4 of 4 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
        cyd succeeded
        dan succeeded
