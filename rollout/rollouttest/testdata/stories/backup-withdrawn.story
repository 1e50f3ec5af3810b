# A patch that is withdrawn while a device is backed up is not installed there: the backup is asked to stop, and whether it is made or not,
# nothing follows it.

ring all devices=ada,bob
policy backup=required
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada bob
withdraw p1 reason="broken"
    p1 is withdrawn by hans: broken
    stop ada bob
ok ada
    ada: backed up
    install ada again at day 1, 09:00
    ada: skipped
stopped bob
    backup bob again at day 1, 09:00
    bob: skipped
    gate of ring all: inconclusive, 0 of 0 succeeded, 0 failed
    ring all is held: inconclusive
show
    active
      all: held, inconclusive
        ada skipped
        bob skipped
