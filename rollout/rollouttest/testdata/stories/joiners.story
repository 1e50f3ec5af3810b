# Devices that turn up while a rollout is under way, and miss what it installs, get the ring in which they would have been, by the hash of
# their names; once that ring is good enough they get the next. They wait for leave, windows and limits like all others.

devices 20
ring canary share=20% maxactive=2 soak=1h
ring broad rest maxactive=4 window="daily 20:00-22:00"
policy joiners=admit
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d16 d8
join e1
    e1 joins ring broad
join e2
    e2 joins ring broad
join e3
    e3 joins ring canary
join e4
    e4 joins ring broad
join e5
    e5 joins ring broad
show
    active
      canary: open
        d10 unsettled
        d16 unsettled, install is running
        d20 unsettled
        d8 unsettled, install is running
        e3 unsettled
      broad: waiting
        d1 unsettled
        d11 unsettled
        d12 unsettled
        d13 unsettled
        d14 unsettled
        d15 unsettled
        d17 unsettled
        d18 unsettled
        d19 unsettled
        d2 unsettled
        d3 unsettled
        d4 unsettled
        d5 unsettled
        d6 unsettled
        d7 unsettled
        d9 unsettled
        e1 unsettled
        e2 unsettled
        e4 unsettled
        e5 unsettled
join d1
    refused: device cannot join: device d1: it is in the rollout already
join eve tenant=globex
    refused: device cannot join: device eve: it belongs to tenant "globex", which is neither "acme" nor below it
join eve patches=p1 zone=Atlantis/Poseidonis
    refused: device cannot join: device eve: policy: windows[0]: "Atlantis/Poseidonis": unknown time zone
done
    verify d16 d8
    d16 d8: succeeded
    install d10 d20
    verify d10 d20
    d10 d20: succeeded
    install e3
    verify e3
    e3: succeeded
    ring canary soaks until day 1, 10:00
until day 1 09:30
join e6
    day 1, 09:30
    e6 joins ring broad
join e7
    e7 joins ring broad
join e8
    e8 joins ring broad, since ring canary takes nobody any more
join e9
    e9 joins ring broad
explain e9
    ring broad is not open: it waits for ring canary, 5 of 5 succeeded, 0 failed
    ring canary soaks until day 1, 10:00
    the next window opens day 1, 20:00
    next: day 1, 10:00
crash
until day 1 10:30
    day 1, 10:00
    gate of ring canary: pass, 5 of 5 succeeded, 0 failed
    ring broad opens
explain e9
    the next window opens day 1, 20:00
    next: day 1, 20:00
until day 1 20:00
    day 1, 20:00
    install d2 d5 d14 d1
done
    verify d1 d14 d2 d5
    d1 d14 d2 d5: succeeded
    install d19 d3 d11 d17
    verify d11 d17 d19 d3
    d11 d17 d19 d3: succeeded
    install d6 d12 d7 d18
    verify d12 d18 d6 d7
    d12 d18 d6 d7: succeeded
    install d4 d9 d13 d15
    verify d13 d15 d4 d9
    d13 d15 d4 d9: succeeded
    install e1 e2 e4 e5
    verify e1 e2 e4 e5
    e1 e2 e4 e5: succeeded
    install e6 e7 e8 e9
    verify e6 e7 e8 e9
    e6 e7 e8 e9: succeeded
    gate of ring broad: pass, 24 of 24 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        d10 succeeded
        d16 succeeded
        d20 succeeded
        d8 succeeded
        e3 succeeded
      broad: passed
        d1 succeeded
        d11 succeeded
        d12 succeeded
        d13 succeeded
        d14 succeeded
        d15 succeeded
        d17 succeeded
        d18 succeeded
        d19 succeeded
        d2 succeeded
        d3 succeeded
        d4 succeeded
        d5 succeeded
        d6 succeeded
        d7 succeeded
        d9 succeeded
        e1 succeeded
        e2 succeeded
        e4 succeeded
        e5 succeeded
        e6 succeeded
        e7 succeeded
        e8 succeeded
        e9 succeeded
join e10
    refused: joiners: rollout is over
