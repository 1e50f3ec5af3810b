# One ring is rolled back. What was not begun is not begun any more, and the rollout halts for a person to decide.

ring canary devices=ada,bob
ring broad devices=cyd,dee maxactive=1
start q1 salt=4
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install dee
undo-ring broad reason="complaints"
    roll back dee, by hans: complaints
    quarantine p1: complaints
    rollout is undoing, by hans: complaints
    stop dee
ok
    rollback dee
ok
    verify dee, gone
done
    dee: rolled-back
    gate of ring broad: fail, 1 of 2 failed
    rollout is halted
show
    halted
      canary: passed
        ada succeeded
        bob succeeded
      broad: failed
        cyd unsettled
        dee rolled-back
resume
    refused: resume: command refused: ring broad has failed: have what failed tried again, promote it, roll back, or cancel
cancel
    rollout is ending, by hans
    cyd: cancelled
    rollout is cancelled
show
    cancelled
      canary: passed
        ada succeeded
        bob succeeded
      broad: failed
        cyd cancelled
        dee rolled-back
