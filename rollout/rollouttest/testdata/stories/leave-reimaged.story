# A device that is made anew under its old ID begins anew, whatever was known of it: its success does not stand for what is there now, its
# failures are forgotten, and what was begun on the old installation says nothing of the new one. It waits for its turn as all others do.

ring all devices=ada,bob,cyd,dan maxactive=2 maxfailed=50%
policy attempts=2 backoff=1h rate=3/2h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada
done ada
    verify ada
    ada: succeeded
    install dan
running dan
leave ada,dan reimaged by=cmdb
    ada dan: made anew, so that what is known of it is true no more, says cmdb; dan was being worked on
    ada dan: open again
crash
    again: install cyd
ok dan seq=1
    dan: late report, succeeded
explain ada
    rate 3 in 2h: next at day 1, 11:00
    next: day 1, 11:00
show
    active
      all: open
        ada unsettled
        bob unsettled
        cyd unsettled, install is running
        dan unsettled
done
    verify cyd
    cyd: succeeded
wait 2h
    day 1, 11:00
    install ada dan
done
    verify ada dan
    ada dan: succeeded
    gate of ring all: pass, 3 of 4 succeeded, 0 failed
    install bob
    verify bob
    bob: succeeded
    rollout is done
