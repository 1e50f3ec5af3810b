# An installation had no answer in time, and its rollout has let go of the device. Another rollout does not begin there before it is known that the
# task has ended, or before the policy of the first one waits no longer.

patch p1
patch p2
ring all devices=ada,bob maxfailed=99% minsuccess=1%
ring late devices=cyd manual
policy timeout=4h attempts=1 undo-wait=6h
start q1 salt=1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
wait 4h
    day 1, 13:00
    ada bob: no answer in time
    verify ada bob
q1: missing ada
    ada: failed (transient)
q1: missing bob
    bob: failed (transient)
    gate of ring all: fail, 2 of 2 failed
    rollout is halted
ring all devices=ada,bob maxfailed=99% minsuccess=1%
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q2: explain ada
    a task of rollout acme:q1 has no known end and may still be running there: waits for its end, at most until day 1, 19:00
    next: day 1, 19:00
q1: fail ada transient seq=1
    q1: ada: late report, failed
    q2: install ada
wait 5h
    day 1, 17:00
    q2: ada: no answer in time
    q2: verify ada
q2: explain bob
    a task of rollout acme:q1 has no known end and may still be running there: waits for its end, at most until day 1, 19:00
    next: day 1, 19:00
wait 3h
    day 1, 19:00
    q2: install bob
    day 1, 21:00
    q2: ada: no answer in time
    q2: ada: failed (transient)
q2: show
    q1: halted
      all: failed
        ada failed
        bob failed
      late: waiting
        cyd unsettled
    q2: active
      all: open
        ada failed
        bob unsettled, install is running
