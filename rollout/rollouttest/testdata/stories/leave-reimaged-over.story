# Where nothing may be installed any more a device that is made anew is gone; and what somebody has decided about it holds.

ring all devices=ada,bob,cyd,dan,eve
patch p1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve cyd ada dan bob
done ada bob
    verify ada bob
    ada bob: succeeded
skip dan
    refused: skip: command refused: device dan is being worked on or settled
undo-device ada reason="breaks printers"
    roll back ada, by hans: breaks printers
    quarantine p1 on ada: breaks printers
    rollback ada
done ada
    verify ada, gone
    ada: rolled-back
    gate of ring all: fail, 1 of 5 failed
    rollout is halted
    stop eve cyd dan
leave ada reimaged
    ada: made anew, so that what is known of it is true no more
undo-device bob reason="breaks printers"
    roll back bob, by hans: breaks printers
    quarantine p1 on bob: breaks printers
    rollback bob
leave bob reimaged
    bob: made anew, so that what is known of it is true no more; bob was being worked on
    bob: open again
    bob: gone
withdraw p1
    p1 is withdrawn by hans
leave cyd reimaged
    cyd: made anew, so that what is known of it is true no more; cyd was being worked on
    cyd: open again
    cyd: gone
leave dan reimaged
    dan: made anew, so that what is known of it is true no more; dan was being worked on
    dan: open again
    dan: gone
show
    halted
      all: failed
        ada rolled-back
        bob gone
        cyd gone
        dan gone
        eve unsettled, install is running
