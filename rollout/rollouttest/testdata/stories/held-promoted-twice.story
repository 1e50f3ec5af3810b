# Two people promote the same ring, one after the other: the second is told so, and the ring that has opened meanwhile is not taken for finished.

ring canary devices=ada manual
ring broad devices=bob,cyd
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring canary: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    ring canary is held: manual
promote canary by=inge
    gate of ring canary: promoted by inge, 1 of 1 succeeded, 0 failed
    ring broad opens
    install cyd bob
promote canary by=hans
    refused: promote: command refused: ring canary is passed
show
    active
      canary: passed
        ada succeeded
      broad: open
        bob unsettled, install is running
        cyd unsettled, install is running
done bob
    verify bob
    bob: succeeded
show
    active
      canary: passed
        ada succeeded
      broad: open
        bob succeeded
        cyd unsettled, install is running
done cyd
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
