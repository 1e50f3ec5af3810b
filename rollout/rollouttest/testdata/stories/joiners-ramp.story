# Newcomers take part in the ramp of their ring, and in its budget: they begin no sooner than its other devices may.

device a1 site=oslo
device a2 site=oslo
device a3 site=bern
device a4 site=bern
ring all rest ramp=1 maxfailed=50% minsuccess=50%
policy joiners=admit budget="sites: site 1"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install a1
join n1 site=oslo
    n1 joins ring all
join n2 site=rome
    n2 joins ring all
explain n1
    1 of 1 places in ring all are taken: there are more once devices are well
    budget sites: 1 of 1 disrupted at site oslo
ok
    verify a1
ok
    a1: succeeded
    install a4 a2
done
    verify a2 a4
    a2 a4: succeeded
    gate of ring all: pass, 3 of 6 succeeded, 0 failed
    install a3 n1 n2
    verify a3 n1 n2
    a3 n1 n2: succeeded
    rollout is done
show
    done
      all: passed
        a1 succeeded
        a2 succeeded
        a3 succeeded
        a4 succeeded
        n1 succeeded
        n2 succeeded
