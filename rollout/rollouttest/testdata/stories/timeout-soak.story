# A ring that is good enough in time may soak beyond it.

ring canary devices=ada timeout=6h soak=24h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    ring canary soaks until day 2, 09:00
wait
wait
    day 2, 09:00
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
