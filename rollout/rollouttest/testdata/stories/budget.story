# At most one device of a site is disrupted at once, counted over two rollouts, from when work on it begins until it is verified. A
# device that waits for another try stays disrupted, and so does one that has failed, until a person says that he knows. A device
# without the label is bounded by nothing.

patch p1
patch p2
device ada site=oslo
device bob site=oslo
device cyd site=bern
device dan site=bern
device eve
policy budget="sites: site 1" attempts=2 maxactive=9
ring all devices=ada,bob,cyd,dan,eve maxfailed=50%
start q1 patches=p1 devices=ada,cyd,eve
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve cyd ada
start q2 patches=p2 devices=bob,dan,eve
    q2: rollout is active, by olga
    q2: ring all opens
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo
q2: explain eve
    its turn has come
q1: ok ada
    q1: verify ada
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo
q1: ok ada
    q1: ada: succeeded
    q2: install bob
q1: fail cyd transient
    q1: install cyd again at day 1, 09:10 (transient)
q2: explain dan
    budget sites: 1 of 1 disrupted at site bern
wait 1h
    day 1, 09:10:13
    q1: install cyd, attempt 2
q1: fail cyd permanent
    day 1, 10:00
    q1: cyd: failed (permanent)
q2: explain dan
    budget sites: 1 of 1 disrupted at site bern
crash
    q1: again: install eve
    q2: again: install bob
q2: explain dan
    budget sites: 1 of 1 disrupted at site bern
q1: acknowledge bob
    q1: refused: acknowledge: command refused: device "bob" is not in the plan
q1: acknowledge ada
    q1: refused: acknowledge: command refused: device ada is not disrupted by this rollout
q1: acknowledge cyd reason="is being replaced"
    q1: cyd: acknowledged by hans: is being replaced
    q2: install dan
q1: acknowledge cyd
    q1: refused: acknowledge: command refused: device cyd is not disrupted by this rollout
done
    q1: verify eve
    q2: verify bob dan
    q1: eve: succeeded
    q1: gate of ring all: pass, 2 of 3 succeeded, 1 failed
    q1: rollout is done
    q2: bob dan: succeeded
    q2: gate of ring all: pass, 2 of 3 succeeded, 0 failed
    q2: install eve
    q2: verify eve
    q2: eve: succeeded
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        cyd failed, 2 attempts
        eve succeeded
    q2: done
      all: passed
        bob succeeded
        dan succeeded
        eve succeeded
