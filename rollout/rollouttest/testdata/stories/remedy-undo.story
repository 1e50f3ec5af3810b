# A device that is to be rolled back while it gets a remedy is rolled back when that has ended, and not before: the device itself says so, or whoever looks.

ring all devices=ada,bob
policy remedy="corrupt" timeout=4h
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
undo-device ada by=olga reason="enough"
    day 1, 09:15
    roll back ada, by olga: enough
    quarantine p1 on ada: enough
    stop ada
undo-device bob by=olga reason="enough"
    roll back bob, by olga: enough
    quarantine p1 on bob: enough
    stop bob
ok ada
    ada: remedy for corrupt done
    rollback ada
done ada
    verify ada, gone
    ada: rolled-back
    gate of ring all: fail, 1 of 2 failed
    rollout is halted
wait 4h
    day 1, 13:10:55
    bob: no answer in time
    bob: no end of the remedy for corrupt is known (transient)
    verify bob
missing bob idle=no
    day 1, 13:15
    verify bob again at day 1, 13:20
wait 10m
    day 1, 13:20
    verify bob
missing bob idle=yes
    day 1, 13:25
    rollback bob
done
    verify bob, gone
    bob: rolled-back
show
    halted
      all: failed
        ada rolled-back
        bob rolled-back
