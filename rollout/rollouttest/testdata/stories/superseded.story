# A rollout whose window opens tonight is overtaken by one that brings something newer at once: where that has succeeded the older work is
# dropped. Where it has failed the older patch goes on. The outcome stands, even if the newer one is taken back later.

patch p1
patch p2 supersedes=p1
policy attempts=1
ring all devices=ada,bob,cyd maxfailed=99% minsuccess=1% window="daily 22:00-23:00 UTC"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
ring all devices=ada,bob maxfailed=99% minsuccess=1% manual
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada bob
q1: explain ada
    the next window opens day 1, 22:00
    rollout acme:q2 is bringing what supersedes this
    next: day 1, 22:00
q2: ok ada
    q2: verify ada
ok ada
    q2: ada: succeeded
    q2: gate of ring all: inconclusive, 1 of 2 succeeded, 0 failed (manual)
    q2: ring all is held: manual
    q1: ada: superseded by rollout acme:q2
    q1: ada: superseded (superseded)
fail bob permanent
    q2: bob: failed (permanent)
q1: explain ada
    settled: superseded
    rollout acme:q2 has brought what supersedes it
q1: explain bob
    the next window opens day 1, 22:00
    next: day 1, 22:00
wait
    day 1, 22:00
    q1: install cyd bob
q2: undo-device ada reason="it broke the printer"
    q2: roll back ada, by hans: it broke the printer
    q2: quarantine p2 on ada: it broke the printer
    q2: ring all is open again
    q2: rollback ada
crash
    q1: again: install cyd install bob
    q2: again: rollback ada
q1: explain ada
    settled: superseded
    rollout acme:q2 has brought what supersedes it
done
    q1: verify bob cyd
    q2: verify ada, gone
    q1: bob cyd: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
    q2: ada: rolled-back
    q2: gate of ring all: fail, 2 of 2 failed
    q2: rollout is halted
done
q2: promote all
    q2: gate of ring all: promoted by hans, 0 of 2 succeeded, 2 failed
show
    q1: done
      all: passed
        ada superseded
        bob succeeded
        cyd succeeded
    q2: halted
      all: passed
        ada rolled-back
        bob failed
