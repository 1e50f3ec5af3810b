# Where the policy says so, rollbacks begin in windows only. An emergency does not wait for them.

ring all devices=ada,bob,cyd maxfailed=100% manual
policy window="daily 09:00-10:00" undo-windows=yes
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada cyd bob
done
    verify ada bob cyd
    ada bob cyd: succeeded
    gate of ring all: inconclusive, 3 of 3 succeeded, 0 failed (manual)
    ring all is held: manual
wait 2h
undo-device ada reason="bad"
    day 1, 11:00
    roll back ada, by hans: bad
    quarantine p1 on ada: bad
explain ada
    the next window opens day 2, 09:00
    next: day 2, 09:00
wait
    day 2, 09:00
    rollback ada
done
    verify ada, gone
    ada: rolled-back
wait 1h
undo-device bob reason="bad"
    day 2, 10:00
    roll back bob, by hans: bad
    quarantine p1 on bob: bad
undo-device bob reason="it makes a noise" now
    rollbacks do not wait for windows, by hans: it makes a noise
    rollback bob
done
    verify bob, gone
    bob: rolled-back
wait 1h
undo-device cyd now
    day 2, 11:00
    refused: undo-device: command refused: now needs a reason
undo-device cyd now reason="it smokes"
    roll back cyd, by hans: it smokes
    rollbacks do not wait for windows, by hans: it smokes
    quarantine p1 on cyd: it smokes
    rollback cyd
done
    verify cyd, gone
    cyd: rolled-back
show
    active
      all: held, manual
        ada rolled-back
        bob rolled-back
        cyd rolled-back
