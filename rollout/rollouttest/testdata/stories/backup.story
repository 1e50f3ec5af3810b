# Before anything is installed a backup is made, and its proof is written down. A device may show one that it has, if that is young
# enough. Each device is backed up in its own window, and patched there without waiting for another turn.

ring all devices=ada,bob,cyd maxactive=2 window="daily 08:00-12:00 UTC" maxfailed=50%
policy backup=required backup-age=24h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada cyd
show
    active
      all: open
        ada unsettled, backup is running
        bob unsettled
        cyd unsettled, backup is running
ok
    ada cyd: backed up
    install ada cyd
done
    verify ada cyd
    ada cyd: succeeded
    gate of ring all: pass, 2 of 3 succeeded, 0 failed
    backup bob
    bob: backed up
    install bob
    verify bob
    bob: succeeded
    rollout is done
