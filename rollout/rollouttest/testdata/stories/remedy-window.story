# A remedy keeps the window of the installation that it is a part of. One that ends when the window has closed leaves the next try to the next window, and is
# not done again.

ring all devices=ada
policy window="daily 09:00-11:00 UTC" remedy="corrupt" backoff=3h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada corrupt
    install ada again at day 1, 12:05 (corrupt)
wait 20h
explain ada
    it gets a remedy for corrupt first, 0 of at most 1 so far
    the next window opens day 2, 09:00
    next: day 2, 09:00
wait 6h
    day 2, 09:00
    remedy ada
wait 1h30m
ok ada
    day 2, 12:30
    ada: remedy for corrupt done
    install ada again at day 2, 12:30
explain ada
    the next window opens day 3, 09:00
    next: day 3, 09:00
wait 1d
    day 3, 09:00
    install ada, attempt 2
done
    day 3, 12:30
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
