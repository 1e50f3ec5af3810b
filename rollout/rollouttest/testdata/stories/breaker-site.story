# The mirror of Oslo is down. After two tries in a row have failed there, no device of Oslo spends any more of its attempts for half an hour; Bern
# goes on. Then one device tries. That it cannot be reached says nothing of the mirror, so another one tries, in vain. After another half an hour
# one has success, and all others go on.

device ada site=oslo
device bob site=oslo
device cyd site=oslo
device dan site=oslo
device eve site=bern
device fay site=bern
policy maxactive=2 backoff=5m budget="mirrors: site trips 2 for 30m"
ring all rest maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve cyd
fail cyd transient "mirror down"
    install cyd again at day 1, 09:05 (transient)
    install ada
fail ada transient "mirror down"
    install ada again at day 1, 09:05 (transient)
    breaker of budget mirrors at site oslo trips: 2 of 2 tries failed (transient), so none is begun until day 1, 09:30
    install fay
explain bob
    2 of 2 devices are being worked on
    breaker of budget mirrors at site oslo has tripped, 2 of 2 tries failed (transient): one is begun at day 1, 09:30
    next: day 1, 09:30
explain fay
    install is running since day 1, 09:00
    next: day 1, 13:00
done
    verify eve fay
    eve fay: succeeded
crash
wait 29m
explain bob
    breaker of budget mirrors at site oslo has tripped, 2 of 2 tries failed (transient): one is begun at day 1, 09:30
    next: day 1, 09:30
wait 1m
    day 1, 09:30
    breaker of budget mirrors at site oslo: one try, on cyd
    install cyd, attempt 2
explain bob
    breaker of budget mirrors at site oslo has tripped, 2 of 2 tries failed (transient): waits for what becomes of cyd
explain cyd
    install is running since day 1, 09:30
    next: day 1, 13:30
fail cyd unreachable
    install cyd again at day 1, 10:30 (unreachable)
    breaker of budget mirrors at site oslo: one try, on ada
    install ada, attempt 2
explain bob
    breaker of budget mirrors at site oslo has tripped, 2 of 2 tries failed (transient): waits for what becomes of ada
fail ada transient "mirror down"
    install ada again at day 1, 09:41 (transient)
    breaker of budget mirrors at site oslo trips again: ada failed (transient), so none is begun until day 1, 10:00
explain bob
    breaker of budget mirrors at site oslo has tripped, 1 of 1 tries failed (transient): one is begun at day 1, 10:00
    next: day 1, 10:00
wait 31m
    day 1, 10:00
    breaker of budget mirrors at site oslo: one try, on ada
    install ada, attempt 3
ok ada
    day 1, 10:01
    verify ada
    breaker of budget mirrors at site oslo closes: ada has been installed
    install dan
done
    ada: succeeded
    verify dan
    gate of ring all: pass, 3 of 6 succeeded, 0 failed
    install bob
    verify bob
    dan: succeeded
    bob: succeeded
