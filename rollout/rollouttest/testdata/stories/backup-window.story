# A backup that takes longer than the window leaves the installation for the next one, with a backup that is young enough then.

ring all devices=ada,bob window="daily 08:00-10:00 UTC"
policy backup=required backup-age=12h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada bob
wait 2h
ok ada
    day 1, 11:00
    ada: backed up
    install ada again at day 1, 11:00
ok bob
    bob: backed up
    install bob again at day 1, 11:00
explain ada
    the next window opens day 2, 08:00
    next: day 2, 08:00
crash
wait
    day 2, 08:00
    backup ada bob
ok ada
    ada: backed up
    install ada
ok bob
    bob: backed up
    install bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
