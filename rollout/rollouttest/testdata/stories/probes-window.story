# What was found before is of the session in which the installation is begun: after its window has closed a device is looked at anew in the next one. A look that
# does not answer in time is tried again. One that is lost is waited for, and looked at once it is back.

ring all devices=ada,bob
policy probe=till window="daily 10:00-11:00 UTC" probes-within=30m grace=2h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
until day 1 10:10
    day 1, 10:00
    precheck ada bob
ok bob
    day 1, 10:10
    bob: looked at before
    install bob
until day 1 11:00
    day 1, 10:30
    ada: no answer in time
    precheck ada again at day 1, 10:40 (transient)
    day 1, 10:40:19
    precheck ada
explain ada
    precheck is running since day 1, 10:40
    next: day 1, 11:10:19
ok bob
    day 1, 11:00
    verify bob
ok bob
    probe bob
fail bob unreachable
    probe bob again at day 1, 12:00 (unreachable)
explain bob
    unreachable since day 1, 11:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    probe is tried again at day 1, 12:00 (unreachable)
    next: day 1, 12:00
until day 1 11:59
    day 1, 11:10:19
    ada: no answer in time
    precheck ada again at day 1, 11:34 (transient)
seen bob
    day 1, 11:59
    bob: seen again
    probe bob
ok bob down=till
    probe bob again at day 1, 12:00
until day 1 12:05
    day 1, 12:00
    probe bob
ok bob
    day 1, 12:05
    bob: up
    bob: succeeded
until day 2 10:00
    day 2, 10:00
    precheck ada
ok ada
    ada: looked at before
    install ada
done
    verify ada
    probe ada
    ada: up
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
