# A device on which something is down afterwards has succeeded and is worse than before, if the policy says so: for the gate it has failed. It is
# rolled back with its ring.

ring canary devices=ada,bob
ring broad devices=cyd
policy probe=till probes-failed=unwell probes-within=10m probes-every=5m on-fail=ring
patch p1 reversal=reinstall
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    precheck ada bob
ok
    ada bob: looked at before
    install ada bob
ok
    verify ada bob
ok
    probe ada bob
ok bob
    bob: up
    bob: succeeded
ok ada down=till
    probe ada again at day 1, 09:05
until day 1 09:05
    day 1, 09:05
    probe ada
fail ada transient "no shell"
    probe ada again at day 1, 09:10 (transient)
until day 1 09:10
    day 1, 09:10
    probe ada
ok ada down=till
    ada: till not up after the installation, so worse than before
    ada: succeeded
    gate of ring canary: fail, 1 of 2 failed
    roll back ada bob
    quarantine p1: gate of ring canary failed
    rollout is undoing
    rollback ada bob
show
    undoing
      canary: failed
        ada unsettled, rollback is running, worse than before
        bob unsettled, rollback is running
      broad: waiting
        cyd unsettled
explain ada
    rollback is running since day 1, 09:10
    next: day 1, 13:10
crash
    again: rollback ada rollback bob
done
    verify ada bob, gone
    ada bob: rolled-back
    cyd: cancelled
    rollout is undone
show
    undone
      canary: failed
        ada rolled-back, worse than before
        bob rolled-back
      broad: waiting
        cyd cancelled
