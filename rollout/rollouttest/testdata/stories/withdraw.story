# A publisher withdraws a patch while it is on its way. Devices that get something else go on; those that were to get it are left out,
# whoever installs it is asked to stop, and what is installed stays.

patch p1
patch p2
ring canary devices=ada,bob,eve,fay maxactive=2 maxfailed=50%
ring broad devices=cyd,dan
device dan patches=p2
device fay patches=p2
policy attempts=3
start q1 patches=p1,p2
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install eve ada
done ada
    verify ada
    ada: succeeded
    install fay
withdraw p1 by=inge reason="printers stop"
    p1 is withdrawn by inge: printers stop
    stop eve
    bob cyd: skipped
explain bob
    settled: skipped
stopped eve
    install eve again at day 1, 09:00
    eve: skipped
    gate of ring canary: pass, 1 of 2 succeeded, 0 failed
    ring broad opens
    install dan
withdraw p1
    refused: withdraw: command refused: patch p1 is withdrawn already
withdraw p7
    refused: withdraw: command refused: no device of this rollout gets patch "p7"
done fay
    verify fay
    fay: succeeded
wait 5h
    day 1, 13:00
    dan: no answer in time
    verify dan
show
    active
      canary: passed
        ada succeeded
        bob skipped
        eve skipped
        fay succeeded
      broad: open, 1 silent
        cyd skipped
        dan unsettled, verify is running
done
    day 1, 14:00
    dan: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob skipped
        eve skipped
        fay succeeded
      broad: passed
        cyd skipped
        dan succeeded
