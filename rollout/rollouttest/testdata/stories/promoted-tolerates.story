# A ring that was promoted is not failed by what its last devices say.

ring canary devices=ada,bob
ring broad devices=cyd
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
promote canary
    gate of ring canary: promoted by hans, 1 of 2 succeeded, 0 failed
    ring broad opens
    install cyd
fail bob permanent
    bob: failed (permanent)
done
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob failed
      broad: passed
        cyd succeeded
