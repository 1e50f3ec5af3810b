# A device that says that it has the patch is looked at as well.

ring all devices=ada
policy attempts=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada already-installed
    verify ada
missing ada
    install ada again at day 1, 09:11 (transient)
wait
    day 1, 09:11:50
    install ada, attempt 2
fail ada already-installed
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
