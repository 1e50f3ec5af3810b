# A device that is no longer there leaves the denominators, gives its place back at once, and is not rolled back. What installs is asked to
# stop, again after a crash. What is known of it stands, and so does a late word of it.

ring canary devices=ada,bob,cyd,dan maxactive=2 maxfailed=40%
ring broad rest
device eve
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada
done ada
    verify ada
    ada: succeeded
    install dan
leave ada retired by=cmdb reason="sold"
    ada: no longer there, says cmdb: sold
leave bob retired
    bob: no longer there
    bob: gone
crash
    again: install cyd install dan
stopped bob seq=1
crash
    again: install cyd install dan
leave bob retired
explain bob
    settled: gone
    it is no longer there
leave bob moved
    refused: device cannot leave: device bob: it is retired already
leave dan retired
    dan: no longer there; dan was being worked on
    stop dan
    dan: gone
crash
    again: install cyd
    again: stop dan
stopped dan seq=1
    dan: late report, stopped
crash
    again: install cyd
explain dan
    settled: gone
    it is no longer there
fail cyd permanent
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 2 failed
    rollout is halted
done cyd
show
    halted
      canary: failed
        ada succeeded
        bob gone
        cyd failed
        dan gone
      broad: waiting
        eve unsettled
done
undo by=olga
    roll back cyd, by olga
    quarantine p1: rolled back by olga
    rollout is undoing, by olga
    rollback cyd
done
    verify cyd, gone
    cyd: rolled-back
    eve: cancelled
    rollout is undone
