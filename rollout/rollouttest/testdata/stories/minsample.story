# One failure among the first few is no verdict before the sample is large enough.

ring canary devices=ada,bob,cyd,dee denominator=settled maxfailed=25% minsample=3
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada dee bob
fail ada permanent
    ada: failed (permanent)
show
    active
      canary: open
        ada failed
        bob unsettled, install is running
        cyd unsettled, install is running
        dee unsettled, install is running
done bob
    verify bob
    bob: succeeded
done cyd
    verify cyd
    cyd: succeeded
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
    stop dee
