# A device that waits through a pause for its restart is rolled back once, not twice.

ring all devices=ada
policy reboot=always
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
pause
    rollout is paused, by hans
ok ada
    reboot ada again at day 1, 09:00
wait 1h
undo
    day 1, 10:00
    roll back ada, by hans
    quarantine p1: rolled back by hans
    rollout is undoing, by hans
    rollback ada
done
    verify ada, gone
    ada: rolled-back
    gate of ring all: fail, 1 of 1 failed
    rollout is undone
show
    undone
      all: failed
        ada rolled-back
