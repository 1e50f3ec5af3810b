# A device that joins a ring that nothing could change any more lets it go on; one that joins while the rollout is halted waits; one that comes while it
# is rolled back is turned away, and so is one that would get what is in quarantine.

devices 4
ring first share=50% minsample=3 on-timeout=hold
ring rest rest
policy joiners=admit on-fail=ring attempts=1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring first opens
    install d2 d1
done
    verify d1 d2
    d1 d2: succeeded
    gate of ring first: inconclusive, 2 of 2 succeeded, 0 failed
    ring first is held: inconclusive
join e1 ring=first
    e1 joins ring first
    ring first is open again
    install e1
join e2
    e2 joins ring rest
halt
    rollout is halted, by hans
    stop e1
join e5
    e5 joins ring first
explain e5
    the rollout is halted
resume
    rollout is active, by hans
    install e5
ok
    verify e1 e5
ok
    e1 e5: succeeded
    gate of ring first: pass, 4 of 4 succeeded, 0 failed
    ring rest opens
    install d3 d4 e2
fail d3 permanent
    d3: failed (permanent)
    gate of ring rest: fail, 1 of 3 failed
    roll back d3 d4 e2
    quarantine p1: gate of ring rest failed
    rollout is undoing
    stop d4 e2
    rollback d3
join e6
    refused: device cannot join: the rollout is undoing
done
    verify d3, gone
    rollback d4 e2
    d3: rolled-back
    verify d4 e2, gone
    d4 e2: rolled-back
    rollout is halted
join e7
    refused: device cannot join: device e7: patch p1 is in quarantine
release p1
    p1 released from quarantine by hans
join e7
    e7 joins ring rest
