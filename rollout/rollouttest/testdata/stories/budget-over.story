# A device that failed uses up its budget until a person says that he knows, also when its rollout is over and the host has died since. The
# device itself may be patched by the other rollout: it is disrupted already.

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
fail permanent
    ada: failed (permanent)
done
start q2 patches=p2 devices=ada,bob
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo
q1: cancel
    q1: rollout is ending, by hans
    q1: bob: cancelled
    q1: rollout is cancelled
crash
    q2: again: install ada
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo; not acknowledged since their rollouts are over: ada of acme:q1
done
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 2 succeeded, 0 failed
q2: explain bob
    budget sites: 1 of 1 disrupted at site oslo; not acknowledged since their rollouts are over: ada of acme:q1
q1: acknowledge bob reason="never failed"
    q1: refused: acknowledge: command refused: device bob is not disrupted by this rollout
q1: acknowledge ada reason="is being replaced"
    q1: ada: acknowledged by hans: is being replaced
    q2: install bob
q1: acknowledge ada
    q1: refused: acknowledge: command refused: device ada is not disrupted by this rollout
done
    q2: verify bob
    q2: bob: succeeded
    q2: rollout is done
show
    q1: cancelled
      all: open
        ada failed
        bob cancelled
    q2: done
      all: passed
        ada succeeded
        bob succeeded
