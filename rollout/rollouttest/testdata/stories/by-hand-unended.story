# An installation that had no answer in time may still be running when a person has the device tried again. What it is at is looked at first,
# and nothing is installed before that is known to be over.

ring all devices=ada,bob maxfailed=100%
ring late devices=cyd
policy timeout=4h attempts=1 undo-wait=3h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
wait 4h
    day 1, 13:00
    ada bob: no answer in time
    verify ada bob
missing ada
    ada: failed (transient)
    gate of ring all: pass, 0 of 2 succeeded, 1 failed
    ring late opens
    install cyd
missing bob
    bob: failed (transient)
retry ada,bob by=hans reason="looked at"
    ada bob: tried again by hand, by hans: looked at
    verify ada bob
show
    active
      all: passed
        ada unsettled, verify is running, 0 by hand
        bob unsettled, verify is running, 0 by hand
      late: open
        cyd unsettled, install is running
missing ada idle=no
    verify ada again at day 1, 13:05
explain ada
    verify is tried again at day 1, 13:05
    tried again by hand, times: 1; installations begun so: 0; of its own: 1 of 1
    next: day 1, 13:05
ok bob idle=yes
    bob: succeeded
wait 10m
    day 1, 13:05
    verify ada
missing ada idle=yes
    day 1, 13:10
    install ada again at day 1, 13:21 (transient)
wait 15m
    day 1, 13:21:35
    install ada, by hand
done
    day 1, 13:25
    verify ada cyd
    ada cyd: succeeded
    gate of ring late: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 1 by hand
        bob succeeded, 0 by hand
      late: passed
        cyd succeeded
