# A device that is not well before is left out, if the policy says so, and so is one of which that is not known. It is looked at again only while it
# could not be looked at: what was found down is an answer.

ring all devices=ada,bob,cyd,dan,eve,fay
policy probe=till probes-before=leave-out attempts=2 backoff=1h backup=required
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    precheck 6 devices
ok ada
    ada: looked at before
    backup ada
ok bob down=till
    bob: not well before, till not up, so left out
    bob: skipped
ok cyd unknown=till
    cyd: not well before, till not up, so left out
    cyd: skipped
fail dan transient "no shell"
    precheck dan again at day 1, 10:11 (transient)
fail eve unreachable
    precheck eve again at day 1, 10:00 (unreachable)
fail fay permanent "no such user"
    precheck fay again at day 1, 10:03 (permanent)
explain dan
    install is tried again at day 1, 10:11 (transient)
    its probes are not known yet: 1 of 2 tries have failed
    next: day 1, 10:11:28
crash
    again: backup ada
until day 1 10:13
    day 1, 10:00
    precheck eve
    day 1, 10:03:22
    precheck fay
    day 1, 10:11:28
    precheck dan
fail dan transient "no shell"
    day 1, 10:13
    dan: not well before, till not up (transient), so left out
    dan: skipped (transient)
done
    eve fay: looked at before
    ada: backed up
    install ada
    backup eve fay
    eve fay: backed up
    verify ada
    install eve fay
    probe ada
    verify eve fay
    ada: up
    ada: succeeded
    probe eve fay
    eve fay: up
    eve fay: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob skipped
        cyd skipped
        dan skipped
        eve succeeded
        fay succeeded
