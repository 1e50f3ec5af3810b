# A device that is lost while a remedy works there is looked at before the next try: the remedy may still be at work.

ring all devices=ada maxfailed=100%
policy remedy="corrupt" offline-every=1h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
fail ada corrupt
    install ada again at day 1, 09:10 (corrupt)
wait 15m
    day 1, 09:10:19
    remedy ada
running ada
fail ada unreachable
    day 1, 09:15
    ada: no end of the remedy for corrupt is known (unreachable)
    install ada again at day 1, 10:15 (unreachable)
wait 1h
    day 1, 10:15
    verify ada
missing ada idle=yes
    install ada again at day 1, 10:15
    install ada, attempt 2
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded, 2 attempts
