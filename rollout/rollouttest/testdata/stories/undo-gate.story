# Rollbacks have a gate of their own: when too many of them fail, no other one begins until a person decides.

ring all devices=ada,bob,cyd,dan,eve maxactive=1 maxfailed=100% manual
policy undo-maxfailed=20% attempts=1
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve
done
    verify eve
    eve: succeeded
    gate of ring all: inconclusive, 1 of 5 succeeded, 0 failed (manual)
    ring all is held: manual
    install ada
    verify ada
    ada: succeeded
    install dan
    verify dan
    dan: succeeded
    install cyd
    verify cyd
    cyd: succeeded
    install bob
    verify bob
    bob: succeeded
undo reason="bad patch"
    roll back eve ada dan cyd bob, by hans: bad patch
    quarantine p1: bad patch
    rollout is undoing, by hans: bad patch
    ring all is open again
    rollback eve
fail eve permanent
    eve: rollback-failed (permanent)
    gate of ring all: inconclusive, 0 of 5 succeeded, 1 failed (manual)
    ring all is held: manual
    rollback ada
fail ada permanent
    ada: rollback-failed (permanent)
    rollbacks are halted: 2 of 5 have failed
    rollout is halted
explain dan
    the rollout is halted
    rollbacks are halted until a person decides: 2 of 5 have failed
show
    halted
      all: held, manual
        ada rollback-failed
        bob unsettled, waits to rollback
        cyd unsettled, waits to rollback
        dan unsettled, waits to rollback
        eve rollback-failed
resume reason="ada is broken anyhow"
    rollout is undoing, by hans: ada is broken anyhow
    rollback dan
done
    verify dan, gone
    dan: rolled-back
    rollback cyd
    verify cyd, gone
    cyd: rolled-back
    rollback bob
    verify bob, gone
    bob: rolled-back
    rollout is halted
show
    halted
      all: held, manual
        ada rollback-failed
        bob rolled-back
        cyd rolled-back
        dan rolled-back
        eve rollback-failed
