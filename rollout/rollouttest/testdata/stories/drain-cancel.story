# Who cancels a rollout gets no node left out of service on which nothing was begun. One that is being put back is waited for. One that was begun and is
# not known to be well stays out, and that is said.

ring all devices=ada,bob,eve
policy budget="clusters: - drained"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    eve ada bob: to be taken out of service before install
    drain eve ada bob
ok ada
    install ada
running bob
ok eve
    install eve
fail ada transient
    install ada again at day 1, 09:11 (transient)
cancel by=olga
    rollout is ending, by olga
    stop eve bob
ok bob
    bob: to be put back into service, then cancelled
    uncordon bob
fail bob busy
    uncordon bob again at day 1, 09:05 (busy)
running eve
fail eve busy
    eve: failed (busy)
    eve: stays out of service until somebody sees to it
    gate of ring all: fail, 1 of 3 failed
show
    ending
      all: failed
        ada unsettled
        bob unsettled, waits to uncordon
        eve failed
wait 10m
    day 1, 09:05
    uncordon bob
ok bob
    day 1, 09:10
    bob: back in service
    bob: cancelled
    ada: cancelled
    ada: stays out of service until somebody sees to it
    rollout is cancelled
show
    cancelled
      all: failed
        ada cancelled
        bob cancelled
        eve failed
acknowledge ada by=olga
    ada: acknowledged by olga
explain ada
    settled: cancelled
