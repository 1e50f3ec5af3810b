# When a device that has settled is rolled back during the soak, the soak begins anew once the ring is good enough again.

ring canary devices=ada,bob,cyd minsuccess=60% maxfailed=40% soak=24h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
    ring canary soaks until day 2, 09:00
wait 2h
undo-device ada reason="slow login"
    day 1, 11:00
    roll back ada, by hans: slow login
    quarantine p1 on ada: slow login
    ring canary is open again
    rollback ada
done ada
    verify ada, gone
    ada: rolled-back
show
    active
      canary: open
        ada rolled-back
        bob succeeded
        cyd unsettled, install is running
done cyd
    verify cyd
    cyd: succeeded
    ring canary soaks until day 2, 11:00
wait
    day 2, 11:00
    gate of ring canary: pass, 2 of 3 succeeded, 1 failed
    rollout is done
quarantine
    p1 on ada since day 1, 11:00: slow login
