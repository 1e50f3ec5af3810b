# Not all devices begin at once: each has its turn within an hour of the window's opening, in an order that a hash of the rollout and the
# device gives, and an explanation names it. A device that is tried again, or is urgent, waits for no turn.

ring all devices=ada,bob,cyd,dan window="daily 08:00-12:00 UTC" maxfailed=50%
policy jitter=1h backoff=2m
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd
explain bob
    starts are spread: its turn comes day 1, 09:45
    next: day 1, 09:45
fail cyd transient
    install cyd again at day 1, 09:02 (transient)
explain cyd
    install is tried again at day 1, 09:02 (transient)
    next: day 1, 09:02:02
wait 5m
    day 1, 09:02:02
    install cyd, attempt 2
done
    day 1, 09:05
    verify cyd
    cyd: succeeded
wait 10m
    day 1, 09:15
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 4 succeeded, 0 failed
escalate bob p1 exploited
    p1 has become urgent on bob: it is known to be exploited
    install bob
done
    verify bob
    bob: succeeded
wait 30m
    day 1, 09:30
    install dan
done
    day 1, 09:45
    verify dan
    dan: succeeded
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
        cyd succeeded, 2 attempts
        dan succeeded
