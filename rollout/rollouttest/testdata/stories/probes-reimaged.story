# A device that is made anew is looked at anew before anything is installed there: what was down on the old installation is not forgiven on the
# new one, and a look that was under way when it was made anew says nothing.

policy probe=till probe=web probes-within=10m
ring all devices=ada,bob,cyd maxfailed=100%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    precheck cyd ada bob
ok ada down=till
    ada: looked at before, till not up
    install ada
ok bob
    bob: looked at before
    install bob
leave cyd reimaged by=cmdb
    cyd: made anew, so that what is known of it is true no more, says cmdb; cyd was being worked on
    cyd: open again
    precheck cyd
ok cyd down=web seq=1
    cyd: late report, succeeded
done ada bob
    verify ada bob
    probe ada bob
    ada bob: up
    ada bob: succeeded
    gate of ring all: pass, 2 of 3 succeeded, 0 failed
leave ada reimaged by=cmdb
    ada: made anew, so that what is known of it is true no more, says cmdb
    ada: open again
    precheck ada
crash
    again: precheck cyd precheck ada
ok ada
    ada: looked at before
    install ada
ok cyd
    cyd: looked at before
    install cyd
done cyd
    verify cyd
    probe cyd
    cyd: up
    cyd: succeeded
ok ada
    verify ada
ok ada
    probe ada
ok ada down=till
    probe ada again at day 1, 09:01
explain ada
    probe is tried again at day 1, 09:01
    not up yet: till; that is waited for until day 1, 09:10
    next: day 1, 09:01
wait 10m
    day 1, 09:01
    probe ada
ok ada down=till
    day 1, 09:10
    ada: till not up after the installation (permanent)
    ada: failed (permanent)
    rollout is done
show
    done
      all: passed
        ada failed
        bob succeeded
        cyd succeeded
