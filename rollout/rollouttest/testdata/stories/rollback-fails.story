# A rollback that cannot be done is told, and is not taken for one that was.

ring canary devices=ada,bob
policy attempts=2 on-fail=ring
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob permanent
    bob: failed (permanent)
    gate of ring canary: fail, 1 of 2 failed
    roll back ada bob
    quarantine p1: gate of ring canary failed
    rollout is undoing
    rollback ada bob
ok ada
    verify ada, gone
missing ada
    ada: rollback-failed
fail bob transient
    rollback bob again at day 1, 09:11 (transient)
wait
    day 1, 09:11:13
    rollback bob
fail bob corrupt
    bob: rollback-failed (corrupt)
    rollout is halted
show
    halted
      canary: failed
        ada rollback-failed
        bob rollback-failed
