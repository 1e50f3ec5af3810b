# A backup that had no answer in time may still be made: no other one is begun, and nothing is installed, before that is known to be over.

ring all devices=ada,bob maxfailed=100%
policy timeout=4h attempts=3 backup=required undo-wait=2h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada bob
wait
    day 1, 13:00
    ada bob: no answer in time
    verify ada bob
missing ada idle=yes
    backup ada again at day 1, 13:11 (transient)
missing bob
    verify bob again at day 1, 13:05
explain bob
    verify is tried again at day 1, 13:05
    an earlier backup has no known end and may still be running: waits for its end, at most until day 1, 15:00
    next: day 1, 13:05
wait 4m
wait 1h
    day 1, 13:05
    verify bob
    day 1, 13:11:50
    backup ada
missing bob idle=no
    day 1, 14:04
    verify bob again at day 1, 14:09
wait 1h
    day 1, 14:09
    verify bob
done ada
    day 1, 15:04
    ada: backed up
    install ada
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 0 failed
show
    active
      all: passed
        ada succeeded
        bob unsettled, verify is running
done
    bob: not backed up (needs-user), so left as it is
    bob: failed (needs-user)
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob failed
