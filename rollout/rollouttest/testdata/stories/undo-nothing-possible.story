# When a gate fails and nothing can be taken back, the rollout halts.

patch p1 reversal=none
ring canary devices=ada,bob
policy on-fail=rollout irreversible=yes
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
    ada bob not rolled back: p1 cannot be taken back
    rollout is halted
show
    halted
      canary: failed
        ada succeeded
        bob failed
