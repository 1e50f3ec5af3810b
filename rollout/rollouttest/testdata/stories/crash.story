# A host may die at any instant: what was begun is taken up again under the same names.

ring canary devices=ada,bob soak=2h
ring broad devices=cyd,dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
crash by=host2
    again: install ada install bob
    taken over by host2
running ada ref=17
crash
    again: install ada install bob
ok ada bob
    verify ada bob
crash
    again: verify ada verify bob
ok
    ada bob: succeeded
    ring canary soaks until day 1, 11:00
crash
wait
    day 1, 11:00
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install cyd dee
crash
    again: install cyd install dee
done
    verify cyd dee
    cyd dee: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob succeeded
      broad: passed
        cyd succeeded
        dee succeeded
