# As long as nobody can look, nothing else is tried, and it is no success.

ring all devices=ada
policy attempts=2 backoff=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    verify ada
fail ada unreachable
    verify ada again at day 1, 10:00 (unreachable)
seen ada
    ada: seen again
    verify ada
fail ada transient "scan timed out"
    verify ada again at day 1, 10:06 (transient)
wait
    day 1, 10:06:11
    verify ada
fail ada transient "scan timed out"
    ada: failed (transient)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
show
    halted
      all: failed
        ada failed
