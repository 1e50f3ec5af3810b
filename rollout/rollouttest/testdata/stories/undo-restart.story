# A rollback that takes effect by a restart only, as one to a snapshot does, is restarted before it is looked at: as soon as the rollback itself
# might begin, and whatever the stage. Where rollbacks keep windows, the restart keeps those for restarts.

patch p1
patch p2
patch p3

# Without restarts what is true is looked at as it is.
ring all devices=dan maxfailed=100% manual
start q3 patches=p3
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install dan
done
    verify dan
    dan: succeeded
    gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    ring all is held: manual
undo-device dan reason="bad"
    roll back dan, by hans: bad
    quarantine p3 on dan: bad
    ring all is open again
    rollback dan
ok dan reboot=yes
    verify dan, gone
missing dan
    dan: rollback-failed
    gate of ring all: inconclusive, 0 of 1 succeeded, 1 failed (manual)
    ring all is held: manual

ring all devices=ada,bob maxfailed=100% manual
policy reboot=if-required reboot-window="daily 22:00-02:00"
start q1 patches=p1
    q1: rollout is active, by olga
    q1: ring all opens
    q1: install ada bob
q1: done
    q1: verify ada bob
    q1: ada bob: succeeded
    q1: gate of ring all: inconclusive, 2 of 2 succeeded, 0 failed (manual)
    q1: ring all is held: manual
q1: undo reason="bad"
    q1: roll back ada bob, by hans: bad
    q1: quarantine p1: bad
    q1: rollout is undoing, by hans: bad
    q1: ring all is open again
    q1: rollback ada bob
q1: ok ada reboot=yes
    q1: reboot ada
q1: ok bob
    q1: verify bob, gone
q1: explain ada
    reboot is running since day 1, 09:00
    next: day 1, 09:30
q1: ok ada boot=b2
    q1: verify ada, gone
q1: done ada
    q1: ada: rolled-back
    q1: gate of ring all: inconclusive, 0 of 2 succeeded, 1 failed (manual)
    q1: ring all is held: manual
q1: done bob
    q1: bob: rolled-back
    q1: rollout is undone

ring all devices=cyd maxfailed=100% manual
policy reboot=if-required reboot-window="daily 22:00-02:00" window="daily 08:00-20:00" undo-windows=yes
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install cyd
q2: done
    q2: verify cyd
    q2: cyd: succeeded
    q2: gate of ring all: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    q2: ring all is held: manual
q2: undo-device cyd reason="bad"
    q2: roll back cyd, by hans: bad
    q2: quarantine p2 on cyd: bad
    q2: ring all is open again
    q2: rollback cyd
q2: ok cyd reboot=yes
    q2: cyd: to be restarted day 1, 22:00
q2: explain cyd
    waits to be restarted: the next window for that opens day 1, 22:00
    next: day 1, 22:00
crash
wait
    day 1, 22:00
    q2: reboot cyd
wait
    day 1, 22:30
    q2: cyd: no answer in time
    q2: verify cyd, gone
q2: fail cyd transient
    q2: verify cyd again at day 1, 22:40 (transient)
wait
    day 1, 22:40:44
    q2: verify cyd, gone
q2: fail cyd unreachable
    q2: verify cyd again at day 1, 23:40 (unreachable)
q2: done cyd
