# A device that failed uses up its budget until somebody acknowledges it. One that is retired does so no more.

ring all devices=ada,bob maxfailed=60%
device ada site=oslo
device bob site=oslo
policy budget="sites: site 1"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada permanent
    ada: failed (permanent)
explain bob
    budget sites: 1 of 1 disrupted at site oslo
leave ada retired
    ada: no longer there
    install bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 1 failed
    rollout is done
