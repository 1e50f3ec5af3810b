# A node that is to be rolled back while it is put back, or between two tries to, is taken out of service again for that: it may be back. One that is
# being drained for another try goes on to its rollback once it is out.

ring all devices=ada,bob,eve
policy budget="clusters: - drained" attempts=3
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    eve ada bob: to be taken out of service before install
    drain eve ada bob
ok ada
    install ada
ok ada
    verify ada
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
undo-device ada by=olga reason="enough"
    roll back ada, by olga: enough
    quarantine p1 on ada: enough
ok ada
    ada: back in service
    ada: to be taken out of service before rollback
    drain ada
ok ada
    rollback ada
ok eve
    install eve
ok eve
    verify eve
ok eve
    eve: to be put back into service, then succeeded
    uncordon eve
fail eve transient
    uncordon eve again at day 1, 09:11 (transient)
undo-device eve by=olga reason="enough"
    roll back eve, by olga: enough
    quarantine p1 on eve: enough
    eve: to be taken out of service before rollback
    drain eve
ok eve
    rollback eve
ok bob
    install bob
fail bob transient
    install bob again at day 1, 09:11 (transient)
wait 15m
    day 1, 09:11:13
    bob: to be taken out of service before install
    drain bob
undo-device bob by=olga reason="enough"
    day 1, 09:15
    roll back bob, by olga: enough
    quarantine p1 on bob: enough
    stop bob
ok bob
    rollback bob
ok bob
    verify bob, gone
done
    verify ada eve, gone
    bob: to be put back into service, then rolled-back
    uncordon bob
    bob: back in service
    bob: rolled-back
    ada eve: to be put back into service, then rolled-back
    uncordon ada eve
    gate of ring all: fail, 1 of 3 failed
    rollout is halted
    ada eve: back in service
    ada eve: rolled-back
show
    halted
      all: failed
        ada rolled-back
        bob rolled-back
        eve rolled-back
