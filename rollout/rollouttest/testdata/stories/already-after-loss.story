# A device that was lost during our attempt, and then says that it has the patch, counts as our success: it can be rolled back.

ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada unreachable
    install ada again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    install ada
fail ada already-installed
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
