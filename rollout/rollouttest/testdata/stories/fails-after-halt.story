# Failures that come in when the rollout is halted already are counted, halt nothing a second time, and nothing is lost of what came with them.

ring canary devices=ada,bob,cyd,dee
ring broad devices=eve
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada dee bob
fail ada bob permanent
    ada bob: failed (permanent)
    gate of ring canary: fail, 2 of 4 failed
    rollout is halted
    stop cyd dee
fail cyd permanent
    cyd: failed (permanent)
ok dee
    verify dee
done dee
    dee: succeeded
show
    halted
      canary: failed
        ada failed
        bob failed
        cyd failed
        dee succeeded
      broad: waiting
        eve unsettled
