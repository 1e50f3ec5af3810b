# At most one device of a site is begun in any half an hour, counted over the rollouts that are under way. A crash changes nothing about
# it: what was begun is in the journals. A rollback does not wait.

patch p1
patch p2
device ada site=oslo
device bob site=oslo
device cyd site=oslo
device dan site=bern
policy budget="sites: site 1/30m"
ring all devices=ada,bob,cyd,dan maxfailed=60%
start q1 patches=p1 devices=ada,bob,dan
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada dan
start q2 patches=p2 devices=cyd
    q2: rollout is active, by olga
    q2: ring all opens
q2: explain cyd
    rate 1 in 30m of budget sites at site oslo: next at day 1, 09:30
    next: day 1, 09:30
crash
    q1: again: install ada install dan
q2: explain cyd
    rate 1 in 30m of budget sites at site oslo: next at day 1, 09:30
    next: day 1, 09:30
ok ada
    q1: verify ada
ok ada
    q1: ada: succeeded
wait
    day 1, 09:30
    q1: install bob
q2: explain cyd
    rate 1 in 30m of budget sites at site oslo: next at day 1, 10:00
    next: day 1, 10:00
q1: undo-device ada reason="does not start"
    q1: roll back ada, by hans: does not start
    q1: quarantine p1 on ada: does not start
    q1: rollback ada
wait 10m
q1: cancel
    day 1, 09:40
    q1: rollout is ending, by hans
    q1: stop dan bob
q2: explain cyd
    rate 1 in 30m of budget sites at site oslo: next at day 1, 10:00
    next: day 1, 10:00
