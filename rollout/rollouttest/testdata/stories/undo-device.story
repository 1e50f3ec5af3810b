# One device is rolled back and the others go on; the patch is in quarantine for that device only.

ring canary devices=ada,bob,cyd maxfailed=40%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada
    verify ada
    ada: succeeded
undo-device ada reason="printer gone"
    roll back ada, by hans: printer gone
    quarantine p1 on ada: printer gone
    rollback ada
ok ada
    verify ada, gone
ok ada
    ada: rolled-back
quarantine
    p1 on ada since day 1, 09:00: printer gone
done
    verify bob cyd
    bob cyd: succeeded
    gate of ring canary: pass, 2 of 3 succeeded, 1 failed
    rollout is done
show
    done
      canary: passed
        ada rolled-back
        bob succeeded
        cyd succeeded
