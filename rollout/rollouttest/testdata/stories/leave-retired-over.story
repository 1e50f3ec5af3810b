# A device that a rollout has left disrupted, and that is retired once the rollout is over, uses up no budget any more: nobody need acknowledge it. One that
# it has not left disrupted has nothing to give back.

patch p1
patch p2
device ada site=oslo
device bob site=oslo
policy budget="sites: site 1"
ring all devices=ada,bob maxfailed=99% minsuccess=1%
start q1 patches=p1 devices=ada,bob
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada permanent
    ada: failed (permanent)
start q2 patches=p2 devices=ada,bob
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
q2: leave ada retired by=cmdb
    q2: ada: no longer there, says cmdb; ada was being worked on
    q2: stop ada
    q2: ada: gone
q1: cancel
    q1: rollout is ending, by hans
    q1: bob: cancelled
    q1: rollout is cancelled
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo; not acknowledged since their rollouts are over: ada of acme:q1
q1: leave bob retired
    q1: refused: departures: rollout is over
q1: leave ada reimaged
    q1: refused: departures: rollout is over
q1: leave ada retired by=cmdb
    q1: ada: no longer there, says cmdb
    q2: install bob
q1: leave ada retired by=cmdb
crash
    q2: again: install bob
    q2: again: stop ada
q2: explain bob
    install is running since day 1, 09:00
    next: day 1, 13:00
