# A pause uses up no deadline: the gate still has all of its time when the rollout goes on.

ring canary devices=ada,bob timeout=6h on-timeout=fail maxactive=1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
wait 2h
pause by=olga reason="weekend"
    day 1, 11:00
    rollout is paused, by olga: weekend
done
    verify ada
    ada: succeeded
wait 63h
explain bob
    the rollout is paused
resume by=olga
    day 4, 02:00
    rollout is active, by olga
    install bob
wait 3h
done
    day 4, 05:00
    verify bob
    bob: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob succeeded
