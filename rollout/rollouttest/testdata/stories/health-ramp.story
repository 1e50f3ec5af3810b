# A device that is worse than before keeps its place in the ramp: what looked like a success makes no room.

policy metric="load"
ring all rest ramp=2 maxfailed=60%
devices 6
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install d2 d5
sample - load 3 ago=1h
    6 devices: load measured
running
ok d2
    verify d2
ok d2
    d2: succeeded
    install d1
sample d2 load 4
    d2: load measured, 4
    d2: worse than before, load 4 after 3, limit 3
ok
    verify d1 d5
done
    d1 d5: succeeded
    install d3 d6 d4
    verify d3 d4 d6
    d3 d4 d6: succeeded
    gate of ring all: pass, 5 of 6 succeeded, 1 failed
    rollout is done
show
    done
      all: passed
        d1 succeeded
        d2 succeeded, worse than before
        d3 succeeded
        d4 succeeded
        d5 succeeded
        d6 succeeded
