# What is not known to have ended is waited for as long as the policy says, and then a person is needed. Nothing is taken back meanwhile.

ring all devices=ada,bob maxfailed=100%
policy timeout=4h attempts=1 undo-wait=1h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
running ada
fail ada unreachable
    verify ada again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    verify ada
wait 3h
    day 1, 13:00
    bob: no answer in time
    verify bob
missing bob
    bob: failed (transient)
    gate of ring all: pass, 0 of 2 succeeded, 1 failed
undo reason="bad patch"
    roll back ada bob, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    verify bob
wait 15m
explain bob
    verify is running since day 1, 13:00
    next: day 1, 17:00
wait 30m
ok bob
    day 1, 13:45
    verify bob again at day 1, 13:50
wait 30m
    day 1, 13:50
    verify bob
    day 1, 14:00
    ada: no answer in time
    ada: rollback-failed (needs-user)
missing bob idle=no
    day 1, 14:15
    bob: rollback-failed (needs-user)
    rollout is halted
show
    halted
      all: passed
        ada rollback-failed
        bob rollback-failed

# Once it is known that nothing runs there, it may be rolled back after all.
undo-device bob reason="looked at"
    roll back bob, by hans: looked at
    quarantine p1 on bob: looked at
    verify bob
ok bob idle=yes
    rollback bob
done
    verify bob, gone
    bob: rolled-back
