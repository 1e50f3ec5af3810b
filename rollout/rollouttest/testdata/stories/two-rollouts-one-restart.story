# Two rollouts have installed on the same devices, and both wait for the hour in which devices are restarted. One restart serves both: the device
# reports another boot than after either installation. Each rollout looks at its own content after it.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada,bob
policy reboot=if-required reboot-window="daily 22:00-23:00"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q1: ok ada boot=b1
    q1: ada: to be restarted day 1, 22:00
    q2: install ada
q1: ok bob boot=b1
    q1: bob: to be restarted day 1, 22:00
    q2: install bob
q2: ok ada boot=b1
    q2: ada: to be restarted day 1, 22:00
q2: ok bob boot=b1
    q2: bob: to be restarted day 1, 22:00
q2: explain ada
    waits to be restarted: the next window for that opens day 1, 22:00
    next: day 1, 22:00
until day 1 22:00
    day 1, 22:00
    q1: reboot ada bob

# It is known at once by the report of the restart. Bob's says no boot: the look after it does.
q1: ok ada boot=b2
    q1: verify ada
    q2: ada: restart shared with rollout acme:q1
q2: explain ada
    its turn has come
    its restart was that of rollout acme:q1, or came while that was at work there
q1: ok bob
    q1: verify bob
q2: explain bob
    its turn has come
q1: ok ada bob boot=b2
    q1: ada bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: bob: restart shared with rollout acme:q1
    q2: verify ada bob
q2: explain ada
    verify is running since day 1, 22:00
    its restart was that of rollout acme:q1, or came while that was at work there
    next: day 2, 02:00
done
    q2: ada bob: succeeded
    q2: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        bob succeeded
    q2: done
      all: passed
        ada succeeded
        bob succeeded
