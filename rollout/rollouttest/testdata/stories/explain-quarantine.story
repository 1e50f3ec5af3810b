# What was taken back does not come again: the device says which patch is in quarantine, since when and why, until somebody releases it.

ring canary devices=ada
ring broad rest
device bob
policy on-fail=ring
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
fail ada permanent
    ada: failed (permanent)
    gate of ring canary: fail, 1 of 1 failed
    roll back ada
    quarantine p1: gate of ring canary failed
    rollout is undoing
    rollback ada
done
    verify ada, gone
    ada: rolled-back
    bob: cancelled
    rollout is undone
explain ada
    settled: rolled-back
    patch p1 is in quarantine since day 1, 09:00: it is not installed again until that is released, or the patch superseded (gate of ring canary failed)
explain bob
    settled: cancelled
release p1
    p1 released from quarantine by hans
explain ada
    settled: rolled-back
