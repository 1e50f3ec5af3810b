# Devices that turn up obey the rate as all others do: where two are begun in an hour, a crowd that joins an open ring is begun two an hour, and takes
# its turn with those that were there before.

devices 3
ring all rest
policy joiners=admit rate=2/1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install d2 d1
join e1
    e1 joins ring all
join e2
    e2 joins ring all
join e3
    e3 joins ring all
explain e1
    rate 2 in 1h: next at day 1, 10:00
    next: day 1, 10:00
wait 30m
done
    day 1, 09:30
    verify d1 d2
    d1 d2: succeeded
explain e1
    rate 2 in 1h: next at day 1, 10:00
    next: day 1, 10:00
wait
    day 1, 10:00
    install d3 e1
done
    verify d3 e1
    d3 e1: succeeded
crash
explain e2
    rate 2 in 1h: next at day 1, 11:00
    next: day 1, 11:00
wait
    day 1, 11:00
    install e2 e3
done
    verify e2 e3
    e2 e3: succeeded
    gate of ring all: pass, 6 of 6 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        d1 succeeded
        d2 succeeded
        d3 succeeded
        e1 succeeded
        e2 succeeded
        e3 succeeded
