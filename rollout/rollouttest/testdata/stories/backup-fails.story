# Without a backup that is required a device is not touched: that is tried again like an installation, and then it has failed. A word without
# a proof, a backup that is too old and one from the future count for nothing.

ring all devices=ada,bob,cyd,dan,eve maxfailed=100%
policy backup=required backup-age=24h attempts=2 backoff=1h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup eve ada dan cyd bob
fail ada disk-full "no room for a snapshot"
    backup ada again at day 1, 10:01 (disk-full)
fail bob permanent "no snapshots here"
    bob: not backed up (permanent), so left as it is
    bob: failed (permanent)
    gate of ring all: pass, 0 of 5 succeeded, 1 failed
ok cyd backup=b1 made=30h
    backup cyd again at day 1, 10:01 (transient)
ok dan backup=b2 made=23h
    dan: backed up
    install dan
fail eve unreachable
    backup eve again at day 1, 10:00 (unreachable)
explain ada
    install is tried again at day 1, 10:01 (disk-full)
    it has no backup yet: 1 of 2 tries have failed
    next: day 1, 10:01:58
explain cyd
    install is tried again at day 1, 10:01 (transient)
    it has no backup yet: 1 of 2 tries have failed
    next: day 1, 10:01:21
crash
    again: install dan
until day 1 11:00
    day 1, 10:00
    backup eve
    day 1, 10:01:21
    backup cyd
    day 1, 10:01:58
    backup ada
fail ada disk-full "no room for a snapshot"
    day 1, 11:00
    ada: not backed up (disk-full), so left as it is
    ada: failed (disk-full)
ok cyd backup=b3 made=-1h
    cyd: not backed up (transient), so left as it is
    cyd: failed (transient)
show
    active
      all: passed, 1 queued
        ada failed
        bob failed
        cyd failed
        dan unsettled, install is running
        eve unsettled, backup is running
done
    eve: backed up
    verify dan
    install eve
    dan: succeeded
    verify eve
    eve: succeeded
    rollout is done
show
    done
      all: passed
        ada failed
        bob failed
        cyd failed
        dan succeeded
        eve succeeded
