# A remedy that had no answer in time may still be at work: nothing is installed before that is known to be over. Nor is anything where no end of it
# gets known: that device has failed.

ring all devices=ada,bob maxfailed=100%
policy timeout=4h attempts=3 remedy="corrupt" undo-wait=2h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
fail ada corrupt
    install ada again at day 1, 09:10 (corrupt)
fail bob corrupt
    install bob again at day 1, 09:10 (corrupt)
wait 15m
    day 1, 09:10:19
    remedy ada
    day 1, 09:10:55
    remedy bob
wait 4h
    day 1, 13:10:19
    ada: no answer in time
    ada: no end of the remedy for corrupt is known (transient)
    verify ada
    day 1, 13:10:55
    bob: no answer in time
    bob: no end of the remedy for corrupt is known (transient)
    verify bob
missing ada idle=no
    day 1, 13:15
    verify ada again at day 1, 13:20
missing bob
    verify bob again at day 1, 13:20
explain ada
    verify is tried again at day 1, 13:20
    an earlier remedy has no known end and may still be running: waits for its end, at most until day 1, 15:10
    next: day 1, 13:20
wait 5m
    day 1, 13:20
    verify ada bob
missing ada idle=yes
    install ada again at day 1, 13:20
    install ada, attempt 2
missing bob idle=no
    verify bob again at day 1, 13:25
explain ada
    install is running since day 1, 13:20
    next: day 1, 17:20
done ada
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 0 failed
wait 2h
    day 1, 13:25
    verify bob
missing bob
    day 1, 15:20
    bob: failed (needs-user)
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
        bob failed
