# A patch goes to the canaries, soaks for a day, and then to everybody else.

ring canary devices=ada,bob soak=24h
ring broad devices=cyd,dee,eve
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
ok ada bob
    verify ada bob

# An installation counts once a fresh look has found the patch there.
ok ada
    ada: succeeded
ok bob
    bob: succeeded
    ring canary soaks until day 2, 09:00
explain cyd
    ring broad is not open: it waits for ring canary, 2 of 2 succeeded, 0 failed
    ring canary soaks until day 2, 09:00
    next: day 2, 09:00
wait
    day 2, 09:00
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install eve cyd dee
done
    verify cyd dee eve
    cyd dee eve: succeeded
    gate of ring broad: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob succeeded
      broad: passed
        cyd succeeded
        dee succeeded
        eve succeeded
