# A rollback disrupts, too: the devices of a pair are rolled back one after the other, and what is rolled back and seen to be well
# leaves room. A device that failed is disrupted already, and may be rolled back at once.

device ada pair=a
device bob pair=a
device cyd pair=b
ring all devices=ada,bob,cyd maxfailed=100% manual
policy budget="pairs: pair 1"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada
done ada cyd
    verify ada cyd
    ada cyd: succeeded
    gate of ring all: inconclusive, 2 of 3 succeeded, 0 failed (manual)
    ring all is held: manual
    install bob
fail bob permanent
    bob: failed (permanent)
undo reason="worse than before"
    roll back cyd ada bob, by hans: worse than before
    quarantine p1: worse than before
    rollout is undoing, by hans: worse than before
    ring all is open again
    rollback cyd bob
explain ada
    the rollout is undoing
    budget pairs: 1 of 1 disrupted at pair a
ok bob
    verify bob, gone
ok bob
    bob: rolled-back
    gate of ring all: inconclusive, 0 of 3 succeeded, 1 failed (manual)
    ring all is held: manual
    rollback ada
done
    verify ada cyd, gone
    ada cyd: rolled-back
    rollout is undone
show
    undone
      all: held, manual
        ada rolled-back
        bob rolled-back
        cyd rolled-back
