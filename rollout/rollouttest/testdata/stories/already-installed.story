# A ring in which everybody had the patch already proves nothing: it is held until a person promotes it.

ring canary devices=ada,bob
ring broad devices=cyd
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
fail ada bob already-installed
    verify ada bob
ok ada bob
    ada bob: already-installed
    gate of ring canary: inconclusive, 0 of 0 succeeded, 0 failed
    ring canary is held: inconclusive
explain cyd
    ring broad is not open: it waits for ring canary, 0 of 0 succeeded, 0 failed, 1 device missing
    ring canary is held: inconclusive
promote canary reason="known from last month"
    gate of ring canary: promoted by hans, 0 of 0 succeeded, 0 failed: known from last month
    ring broad opens
    install cyd
done
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada already-installed
        bob already-installed
      broad: passed
        cyd succeeded
