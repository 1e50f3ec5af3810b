# A rollout that its gate has halted goes on only after a person has promoted the ring.

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
fail bob permanent
    bob: failed (permanent)
    gate of ring canary: fail, 1 of 2 failed
    rollout is halted
resume
    refused: resume: command refused: ring canary has failed: have what failed tried again, promote it, roll back, or cancel
promote broad
    refused: promote: command refused: ring broad is waiting
promote nowhere
    refused: promote: command refused: no ring "nowhere"
promote canary by=inge reason="bob has a broken disk"
    gate of ring canary: promoted by inge, 1 of 2 succeeded, 1 failed: bob has a broken disk
resume
    rollout is active, by hans
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
        ada succeeded
        bob failed
      broad: passed
        cyd succeeded
