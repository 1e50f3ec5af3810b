# A gate that fails takes back what was installed, and the patch is not offered again until a person releases it.

ring canary devices=ada,bob
ring broad devices=cyd
policy attempts=1 on-fail=rollout
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

# Even the device that failed is rolled back: nobody knows what a failed installation leaves behind.
ok ada bob
    verify ada bob, gone
ok ada bob
    ada bob: rolled-back
    cyd: cancelled
    rollout is undone
show
    undone
      canary: failed
        ada rolled-back
        bob rolled-back
      broad: waiting
        cyd cancelled
quarantine
    p1 since day 1, 09:00: gate of ring canary failed
release p1 reason="fixed upstream"
    p1 released from quarantine by hans: fixed upstream
quarantine
    p1 since day 1, 09:00: gate of ring canary failed (released by hans)
