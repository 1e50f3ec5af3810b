# When a gate fails, what can be taken back is; the rest is named, and the rollout halts.

patch p1
patch p2 reversal=none
device ada patches=p1
device bob patches=p2
device cyd patches=p1
ring canary devices=ada,bob,cyd
policy on-fail=rollout irreversible=yes
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob
    verify ada bob
    ada bob: succeeded
fail cyd permanent
    cyd: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    roll back cyd ada
    bob not rolled back: p2 cannot be taken back
    quarantine p1: gate of ring canary failed
    rollout is undoing
    rollback cyd ada
done
    verify ada cyd, gone
    ada cyd: rolled-back
    rollout is halted
show
    halted
      canary: failed
        ada rolled-back
        bob succeeded
        cyd rolled-back
