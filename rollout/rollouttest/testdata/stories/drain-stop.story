# An emergency stop lets nothing disruptive begin. A drain that runs is asked to stop; one that is over by then is taken back at once: the node is put
# back into service, and waits as it did before. So is a node whose window has closed meanwhile.

ring all devices=ada,bob,eve
policy budget="clusters: - drained"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    eve ada bob: to be taken out of service before install
    drain eve ada bob
running ada
running bob
ok eve
    install eve
stop by=olga reason="bad patch"
    rollout is halted, by olga: bad patch
    stop eve ada bob
stopped ada
    drain ada again at day 1, 09:00
ok bob
    install bob again at day 1, 09:00
    bob: to be put back into service
    uncordon bob
ok bob
    bob: back in service
explain bob
    the rollout is halted
ok eve
    verify eve
resume by=olga
    rollout is active, by olga
    ada bob: to be taken out of service before install
    drain ada bob
show
    active
      all: open
        ada unsettled, drain is running
        bob unsettled, drain is running
        eve unsettled, verify is running
cancel by=olga
    rollout is ending, by olga
    stop ada bob
done
    ada bob: to be put back into service, then cancelled
    uncordon ada bob
    eve: to be put back into service, then succeeded
    uncordon eve
    ada bob eve: back in service
    ada bob: cancelled
    eve: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is cancelled
show
    cancelled
      all: passed
        ada cancelled
        bob cancelled
        eve succeeded
