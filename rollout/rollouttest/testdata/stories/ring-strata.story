# With strata a test ring is like the fleet: of eight devices in Oslo, four in Bern, four in Rome and four of no site a quarter is two,
# one, one and one, and by chance never none. How many devices a ring has is the same as without.

device o1 site=oslo
device o2 site=oslo
device o3 site=oslo
device o4 site=oslo
device o5 site=oslo
device o6 site=oslo
device o7 site=oslo
device o8 site=oslo
device b1 site=bern
device b2 site=bern
device b3 site=bern
device b4 site=bern
device r1 site=rome
device r2 site=rome
device r3 site=rome
device r4 site=rome
device n1
device n2
device n3
device n4
ring canary share=25%
ring broad rest
policy strata=site
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install b3 r2 o3 o1 n3
done
    verify b3 n3 o1 o3 r2
    b3 n3 o1 o3 r2: succeeded
    gate of ring canary: pass, 5 of 5 succeeded, 0 failed
    ring broad opens
    install 15 devices
    verify 15 devices
    15 devices: succeeded
    gate of ring broad: pass, 15 of 15 succeeded, 0 failed
    rollout is done
