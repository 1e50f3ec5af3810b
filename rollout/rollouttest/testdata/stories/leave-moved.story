# A device that belongs to another tenant now is not touched any more: it is not asked to stop, nobody looks at it, and nothing is taken
# back there. What it says from then on is passed over.

ring all devices=ada,bob,cyd,dan maxactive=3
policy backoff=10m on-fail=rollout
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada dan
done ada
    verify ada
    ada: succeeded
    install bob
fail bob transient
    install bob again at day 1, 09:10 (transient)
leave ada,bob,cyd moved by=cmdb
    ada bob cyd: belongs to another tenant now, and is not touched any more, says cmdb; what cyd was at is not known to have ended
    bob cyd: gone
crash
    again: install dan
ok cyd seq=1
fine ada by=eva
    refused: feedback of "eva": command refused: device ada has left
explain cyd
    settled: gone
    it belongs to another tenant now
stop
    rollout is halted, by hans
    stop dan
undo-device ada
    refused: undo-device: command refused: nothing was begun on device ada that could be taken back
show
    halted
      all: open
        ada succeeded
        bob gone
        cyd gone
        dan unsettled, install is running
resume
    rollout is active, by hans
done
    verify dan
    dan: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
