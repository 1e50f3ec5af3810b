# Devices that need nothing are done, but they are no proof: the gate is about the rest.

ring canary devices=ada,bob,cyd
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
fail ada not-applicable
    ada: not-applicable (not-applicable)
fail bob superseded
    bob: superseded (superseded)
done cyd
    verify cyd
    cyd: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install dee
show
    active
      canary: passed
        ada not-applicable
        bob superseded
        cyd succeeded
      broad: open
        dee unsettled, install is running
