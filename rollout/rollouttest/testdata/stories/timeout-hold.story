# A gate that runs out of time holds its ring, and a person decides.

ring canary devices=ada,bob timeout=6h
ring broad devices=cyd
policy offline-every=24h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
done ada
    verify ada
    ada: succeeded
fail bob needs-user "the lid is closed"
    install bob again at day 2, 09:00 (needs-user)
wait
    day 1, 15:00
    gate of ring canary: inconclusive, 1 of 2 succeeded, 0 failed (timeout)
    ring canary is held: timeout
explain cyd
    ring broad is not open: it waits for ring canary, 1 of 2 succeeded (50% < 100%), 0 failed, 1 device missing
    ring canary is held: timeout

# Bob comes in time for nothing: the gate has been asked to decide and could not.
wait
    day 2, 09:00
    install bob
done bob
    verify bob
    bob: succeeded
show
    active
      canary: held, timeout
        ada succeeded
        bob succeeded
      broad: waiting
        cyd unsettled
promote canary
    gate of ring canary: promoted by hans, 2 of 2 succeeded, 0 failed
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
        bob succeeded
      broad: passed
        cyd succeeded
