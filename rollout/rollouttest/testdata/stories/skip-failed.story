# Whoever leaves a device out on which the patch has failed ends the work there, and makes its ring no better: it has failed.

ring canary devices=ada,bob,cyd
ring broad devices=dan
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
fail ada transient
    install ada again at day 1, 09:10 (transient)
ok bob cyd
    verify bob cyd
ok
    bob cyd: succeeded
explain ada
    install is tried again at day 1, 09:10 (transient)
    next: day 1, 09:10:19
skip ada by=olga reason="is replaced"
    ada: failed (transient)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
done
show
    halted
      canary: failed
        ada failed
        bob succeeded
        cyd succeeded
      broad: waiting
        dan unsettled
