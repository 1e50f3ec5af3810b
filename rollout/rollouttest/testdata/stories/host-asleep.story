# A host that was down for a week takes up what is due, and nothing is done that should not be done now.

ring canary devices=ada,bob soak=24h window="mon 09:00-12:00"
ring broad devices=cyd window="mon 09:00-12:00"
policy timeout=4h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
sleep 7d
    day 8, 09:00
    bob: no answer in time
    verify bob
done
    bob: succeeded
    ring canary soaks until day 9, 09:00
sleep 8d
    day 16, 09:00
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
done
show
    active
      canary: passed
        ada succeeded
        bob succeeded
      broad: open
        cyd unsettled
