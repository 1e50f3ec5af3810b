# A rollout that is cancelled or rolled back does not wait for restarts any more. What was not restarted owes a restart.

ring all devices=ada,bob
policy reboot=if-required reboot-window="daily 22:00-02:00"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ok ada reboot=yes
    ada: to be restarted day 1, 22:00
ok bob reboot=yes
    bob: to be restarted day 1, 22:00
undo-device ada by=olga reason="breaks the tills"
    roll back ada, by olga: breaks the tills
    quarantine p1 on ada: breaks the tills
    rollback ada
done ada
    verify ada, gone
    ada: rolled-back
    gate of ring all: fail, 1 of 2 failed
    rollout is halted
cancel by=olga
    rollout is ending, by olga
    bob: cancelled, a restart is owed
    rollout is cancelled
show
    cancelled
      all: failed
        ada rolled-back
        bob cancelled, owes a restart
