# What never began disrupts nobody: a device that cannot be reached, or is busy, uses up no budget while it waits. One that was lost in
# the middle does.

device ada site=oslo
device bob site=oslo
device cyd site=oslo
ring all devices=ada,bob,cyd
policy budget="sites: site 1 of site=oslo" offline-every=2h busy-every=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd
fail cyd unreachable
    install cyd again at day 1, 11:00 (unreachable)
    install ada
fail ada busy
    install ada again at day 1, 10:00 (busy)
    install bob
running bob
ok bob
    verify bob
fail bob unreachable
    verify bob again at day 1, 11:00 (unreachable)
explain ada
    install is tried again at day 1, 10:00 (busy)
    budget sites: 1 of 1 disrupted at site oslo
    next: day 1, 10:00
wait 1h
seen bob
    day 1, 10:00
    bob: seen again
    verify bob
done bob
    bob: succeeded
    install ada
done
    verify ada
    ada: succeeded
show
    active
      all: open, 1 queued
        ada succeeded
        bob succeeded
        cyd unsettled
