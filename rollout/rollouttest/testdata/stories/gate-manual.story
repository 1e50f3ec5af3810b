# A gate by hand waits for a person, however good the ring is.

ring canary devices=ada manual soak=1h timeout=4h on-timeout=fail
ring broad devices=bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    ring canary soaks until day 1, 10:00
wait
    day 1, 10:00
    gate of ring canary: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    ring canary is held: manual
wait 24h
explain bob
    ring broad is not open: it waits for ring canary, 1 of 1 succeeded, 0 failed
    ring canary is held: manual
promote canary by=inge reason="tried it myself"
    day 2, 10:00
    gate of ring canary: promoted by inge, 1 of 1 succeeded, 0 failed: tried it myself
    ring broad opens
    install bob
done
    verify bob
    bob: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
