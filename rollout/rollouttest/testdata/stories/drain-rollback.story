# A node that has failed stays out of service: it is not known to be well. It is taken back there, after it was made sure that it still is out, and put
# back when that was verified. One that has succeeded is back in service already, and is taken out again for its rollback.

ring all devices=ada,bob
policy budget="clusters: - drained" on-fail=ring attempts=1
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada bob: to be taken out of service before install
    drain ada bob
done ada
    install ada
    verify ada
    ada: to be put back into service, then succeeded
    uncordon ada
    ada: back in service
    ada: succeeded
ok bob
    install bob
fail bob permanent
    bob: failed (permanent)
    bob: stays out of service until somebody sees to it
    gate of ring all: fail, 1 of 2 failed
    roll back ada bob
    quarantine p1: gate of ring all failed
    rollout is undoing
    ada bob: to be taken out of service before rollback
    drain ada bob
ok ada
    rollback ada
ok bob
    rollback bob
missing ada
    ada: rollback-failed (transient)
    ada: stays out of service until somebody sees to it
ok bob
    verify bob, gone
ok bob
    bob: to be put back into service, then rolled-back
    uncordon bob
done
    bob: back in service
    bob: rolled-back
    rollout is halted
show
    halted
      all: failed
        ada rollback-failed
        bob rolled-back
