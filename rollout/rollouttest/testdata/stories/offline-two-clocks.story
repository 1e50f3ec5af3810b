# Two devices are unreachable. To one nothing was delivered, and its work waits for it. On the other the installation was under way: it may be
# at work still, and is looked at first. A third has not answered at all, and nobody knows what it has done.

ring all devices=ada,bob,cyd
policy offline-every=8h grace=48h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada bob
fail ada unreachable
    install ada again at day 1, 17:00 (unreachable)
running bob
fail bob unreachable
    verify bob again at day 1, 17:00 (unreachable)
show
    active
      all: open, 1 queued, 1 silent
        ada unsettled
        bob unsettled, waits to verify
        cyd unsettled, install is running
explain ada
    unreachable since day 1, 09:00, and nothing is at work there: what it is to get waits for it
    install is tried again at day 1, 17:00 (unreachable)
    next: day 1, 17:00
explain bob
    unreachable since day 1, 09:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    verify is tried again at day 1, 17:00 (unreachable)
    next: day 1, 17:00
wait 4h
    day 1, 13:00
    cyd: no answer in time
    verify cyd
explain cyd
    verify is running since day 1, 13:00
    no answer since day 1, 13:00, and what was begun there may be at work or have taken effect: it is looked at before anything else
    next: day 1, 17:00
show
    active
      all: open, 1 queued, 2 silent
        ada unsettled
        bob unsettled, waits to verify
        cyd unsettled, verify is running

# Bob is looked at when it is back, and has it. Ada is begun when it is.
seen bob ada
    bob ada: seen again
    verify bob
    install ada
ok bob
    bob: succeeded
ok cyd
    cyd: succeeded
show
    active
      all: open
        ada unsettled, install is running
        bob succeeded
        cyd succeeded
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
