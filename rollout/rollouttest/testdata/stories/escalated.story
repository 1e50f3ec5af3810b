# When a patch is found to be exploited, the devices that are told of come first, each in its ring; no ring opens earlier. From
# then on the patch is not rolled back, unless somebody forces it. What is no news is not written down.

ring canary devices=ada maxfailed=50%
ring broad devices=bob,cyd,dan,eve maxactive=1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
escalate ada,nobody p2 exploited
escalate dan,bob p1 severe
    p1 has become urgent on dan bob: its severity went from low to critical
escalate dan p1 severe
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install dan
escalate eve,dan,ada p1 exploited
    p1 has become urgent on eve dan ada: it is known to be exploited
crash
    again: install dan
escalate dan p1 exploited
done dan
    verify dan
    dan: succeeded
    install eve
undo-device ada by=olga
    refused: undo-device: command refused: p1 closes a vulnerability that is known to be exploited
undo-device ada by=olga force reason="breaks the tills"
    roll back ada, by olga: breaks the tills
    quarantine p1 on ada: breaks the tills
    rollback ada
done
    verify ada, gone
    verify eve
    ada: rolled-back
    eve: succeeded
    gate of ring canary: fail, 1 of 1 failed
    rollout is halted
show
    halted
      canary: failed
        ada rolled-back
      broad: open
        bob unsettled
        cyd unsettled
        dan succeeded
        eve succeeded
