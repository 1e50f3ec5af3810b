# What is not tried again by hand: what has no failure to its name, what was decided otherwise, and what nothing may be begun with any more.
# All of the devices that are named are tried again, or none.

ring one devices=ada,bob,cyd maxfailed=0%
ring two devices=dan,eve maxfailed=100%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring one opens
    install cyd ada bob
retry ada by=hans
    refused: retry: command refused: device ada: it is being tried already
retry zoe by=hans
    refused: retry: command refused: device "zoe" is not in the plan
retry by=hans
    refused: retry: command refused: it names no device
retry cyd,cyd by=hans
    refused: retry: command refused: device cyd: it is being tried already
done ada
    verify ada
    ada: succeeded
retry ada by=hans
    refused: retry: command refused: device ada is succeeded: only what has failed is tried again
undo-device ada by=hans reason="no sound"
    roll back ada, by hans: no sound
    quarantine p1 on ada: no sound
    rollback ada
done ada
    verify ada, gone
    ada: rolled-back
    gate of ring one: fail, 1 of 3 failed
    rollout is halted
    stop cyd bob
retry ada by=hans
    refused: retry: command refused: device ada is rolled-back: only what has failed is tried again
fail bob permanent "conflicts"
    bob: failed (permanent)
retry bob by=hans
    refused: retry: command refused: ring one has failed, and not for these devices alone: promote it, roll back, or cancel
cancel by=hans
    rollout is ending, by hans
retry bob by=hans
    refused: retry: command refused: the rollout is ending
