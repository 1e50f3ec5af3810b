# Two installations of p1 have come to nothing: one has failed for good, and the other is not there although its device said that it had succeeded. So p1
# is begun on nobody else for an hour; p2 goes on. A device that has no space speaks for nobody but itself.

patch p1
patch p2
device ada patches=p1
device bob patches=p1
device cyd patches=p1
device dan patches=p1,p2
device eve patches=p2
policy maxactive=1 attempts=2 backoff=2h breaker="2 of 3"
ring all rest maxfailed=60%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve
done eve
    verify eve
    eve: succeeded
    install cyd
fail cyd permanent "needs an older kernel"
    cyd: failed (permanent)
    install ada
fail ada disk-full
    install ada again at day 1, 11:03 (disk-full)
    install dan
ok dan
    verify dan
missing dan
    install dan again at day 1, 11:22 (transient)
    breaker of p1 trips: 2 of 2 tries failed (transient), so none is begun until day 1, 10:00
explain bob
    breaker of p1 has tripped, 2 of 2 tries failed (transient): one is begun at day 1, 10:00
    next: day 1, 10:00
show
    active
      all: open
        ada unsettled
        bob unsettled
        cyd failed
        dan unsettled
        eve succeeded
wait
    day 1, 10:00
    breaker of p1: one try, on bob
    install bob
