# A restart that a rollback takes effect by is announced as any other, may be put off, and keeps quiet times. In an emergency it does neither:
# with a rollback at once it comes at once, also where people had put it off.

policy reboot=if-required deferrals="1 notice 1h each 2h deadline 8h" quiet="daily 10:30-12:00"
ring all devices=ada,bob,cyd,dan maxfailed=100% manual
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada dan bob
ok
    verify ada bob cyd dan
done
    ada bob cyd dan: succeeded
    gate of ring all: inconclusive, 4 of 4 succeeded, 0 failed (manual)
    ring all is held: manual
undo-device ada reason="bad"
    roll back ada, by hans: bad
    quarantine p1 on ada: bad
    rollback ada
ok ada reboot=yes
    ada: restart announced, to be put off until day 1, 17:00 at the latest
    ada: to be restarted day 1, 10:00
explain ada
    is restarted day 1, 10:00: put off 0 of 1 times, until day 1, 17:00 at the latest
    next: day 1, 10:00
defer ada by=kim
    ada: kim puts the restart off until day 1, 11:00
explain ada
    is restarted day 1, 11:00: put off 1 of 1 times, until day 1, 17:00 at the latest
    next: day 1, 11:00
until day 1 10:45
undo-device bob reason="bad"
    day 1, 10:45
    roll back bob, by hans: bad
    quarantine p1 on bob: bad
    rollback bob
ok bob reboot=yes
    bob: to be restarted day 1, 12:00
explain bob
    waits to be restarted: the next window for that opens day 1, 12:00
    next: day 1, 12:00
crash
until day 1 12:00
    day 1, 11:00
    ada: to be restarted day 1, 12:00
    day 1, 12:00
    reboot ada
    bob: restart announced, to be put off until day 1, 20:00 at the latest
    bob: to be restarted day 1, 13:00
done ada
    verify ada, gone
    ada: rolled-back
wait
    day 1, 13:00
    reboot bob
done bob
    verify bob, gone
    bob: rolled-back
until day 2 09:00
undo-device dan reason="bad"
    day 2, 09:00
    roll back dan, by hans: bad
    quarantine p1 on dan: bad
    rollback dan
ok dan reboot=yes
    dan: restart announced, to be put off until day 2, 17:00 at the latest
    dan: to be restarted day 2, 10:00
defer dan by=kim
    dan: kim puts the restart off until day 2, 11:00
undo-device cyd now reason="it deletes files"
    roll back cyd, by hans: it deletes files
    rollbacks do not wait for windows, by hans: it deletes files
    quarantine p1 on cyd: it deletes files
    reboot dan
    rollback cyd
ok cyd reboot=yes
    reboot cyd
done
    verify cyd dan, gone
    cyd dan: rolled-back
show
    active
      all: held, manual
        ada rolled-back
        bob rolled-back
        cyd rolled-back
        dan rolled-back
