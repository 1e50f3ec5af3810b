# A rollback never overlaps with what it takes back. An installation that had no answer in time may still be running: the device is looked
# at until that is known to be over, by the look or by a late report of the installation itself.

ring all devices=ada,bob,cyd maxfailed=100%
policy timeout=4h attempts=1 undo-wait=12h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada cyd bob
wait
    day 1, 13:00
    ada cyd bob: no answer in time
    verify ada cyd bob
missing ada
    ada: failed (transient)
    gate of ring all: pass, 0 of 3 succeeded, 1 failed
ok bob idle=no
    bob: succeeded
undo reason="bad patch"
    roll back ada cyd bob, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    verify ada bob
explain ada
    verify is running since day 1, 13:00
    next: day 1, 17:00

# Nothing is known of ada, it still runs on bob, and it has ended on cyd.
missing ada
    verify ada again at day 1, 13:05
ok bob idle=no
    verify bob again at day 1, 13:05
ok cyd idle=yes
    rollback cyd
explain ada
    the rollout is undoing
    verify is tried again at day 1, 13:05
    an earlier install has no known end and may still be running: waits for its end, at most until day 2, 01:00
    next: day 1, 13:05
show
    undoing
      all: passed
        ada unsettled, waits to verify
        bob unsettled, waits to verify
        cyd unsettled, rollback is running
crash
    again: rollback cyd
stopped ada seq=1
    ada: late report, stopped
wait
    day 1, 13:05
    verify ada bob
ok ada
    rollback ada
missing bob idle=yes
    rollback bob
show
    undoing
      all: passed
        ada unsettled, rollback is running
        bob unsettled, rollback is running
        cyd unsettled, rollback is running
done
    verify ada bob cyd, gone
    ada bob cyd: rolled-back
    rollout is undone
