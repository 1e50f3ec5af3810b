# A patch that only a snapshot takes back is taken back by the backup, where there is one. A backup that is being made is asked to stop, and
# nothing is installed after it.

patch p1 reversal=snapshot
ring all devices=ada,bob,cyd maxfailed=100%
policy backup=best-effort on-fail=rollout irreversible=yes
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada cyd bob
ok ada
    ada: backed up
    install ada
fail bob disk-full
    bob: not backed up (disk-full), and patched all the same
    install bob
ok ada bob
    verify ada bob
ok ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 3 succeeded, 0 failed
undo reason="bad patch"
    roll back ada, by hans: bad patch
    bob not rolled back: p1 can only be taken back by a backup, and there is none
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    stop cyd
    rollback ada
ok cyd
    cyd: backed up
    install cyd again at day 1, 09:00
done
    verify ada, gone
    ada: rolled-back
    rollout is halted
show
    halted
      all: passed
        ada rolled-back
        bob succeeded
        cyd unsettled
