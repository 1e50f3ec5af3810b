# At most two devices are begun in any hour, in all rings together. Next names the instant at which the next one may, and a device that
# turns out to be unreachable gives back what it took. A further attempt counts, and so does a device that is back.

ring first devices=ada
ring broad devices=bob,cyd,dan,eve,fay maxfailed=50%
policy rate=2/1h offline-every=4h backoff=10m
start q1
    day 1, 09:00
    rollout is active, by olga
    ring first opens
    install ada
explain bob
    ring broad is not open: it waits for ring first, 0 of 1 succeeded (0% < 100%), 0 failed, 1 device missing
wait 10m
done
    day 1, 09:10
    verify ada
    ada: succeeded
    gate of ring first: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install eve
    verify eve
    eve: succeeded
explain bob
    rate 2 in 1h: next at day 1, 10:00
    next: day 1, 10:00
wait
    day 1, 10:00
    install cyd
explain bob
    rate 2 in 1h: next at day 1, 10:10
    next: day 1, 10:10
fail cyd unreachable
    install cyd again at day 1, 14:00 (unreachable)
    install dan
wait
    day 1, 10:10
    install fay
seen cyd
    cyd: seen again
explain cyd
    rate 2 in 1h: next at day 1, 11:00
    next: day 1, 11:00
crash
    again: install dan install fay
explain cyd
    rate 2 in 1h: next at day 1, 11:00
    next: day 1, 11:00
wait 20m
fail dan transient
    day 1, 10:30
    install dan again at day 1, 10:41 (transient)
explain dan
    install is tried again at day 1, 10:41 (transient)
    rate 2 in 1h: next at day 1, 11:00
    next: day 1, 10:41:54
wait 1h
    day 1, 11:00
    install cyd
    day 1, 11:10
    install dan, attempt 2
done
    day 1, 11:30
    verify cyd dan fay
    cyd dan fay: succeeded
    gate of ring broad: pass, 4 of 5 succeeded, 0 failed
show
    active
      first: passed
        ada succeeded
      broad: passed
        bob unsettled
        cyd succeeded
        dan succeeded, 2 attempts
        eve succeeded
        fay succeeded
