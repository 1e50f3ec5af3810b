# A backup that was proved is too old by the time of the next try, and a new one cannot be made: the device has failed. Whoever has it tried again
# by hand gets a new backup first, for nothing was installed since the old one.

ring all devices=ada maxfailed=100%
ring late devices=bob approval
policy attempts=1 backup=required
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada
ok ada
    ada: backed up
    install ada
fail ada busy
    install ada again at day 1, 09:05 (busy)
wait 5m
    day 1, 09:05
    install ada
fail ada busy
    install ada again at day 1, 09:10 (busy)
wait 1h
    day 1, 09:10
    backup ada
fail ada permanent
    day 1, 10:05
    ada: not backed up (permanent), so left as it is
    ada: failed (permanent)
    gate of ring all: pass, 0 of 1 succeeded, 1 failed
    ring late: olga asks leave for 1 device (p1)
retry ada by=hans reason="made room"
    ada: tried again by hand, by hans: made room
    backup ada
done
    ada: backed up
    install ada, by hand
    verify ada
    ada: succeeded
show
    active
      all: passed
        ada succeeded, 1 by hand
      late: asking
        bob unsettled
