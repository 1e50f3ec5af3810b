# A share of the devices that were begun, once enough people have answered; a ring that has passed can still fail.

policy feedback="30% devices answers 3" on-fail=ring
ring canary devices=ada,bob,cyd
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
done ada bob cyd
    verify ada bob cyd
    ada bob cyd: succeeded
    gate of ring canary: pass, 3 of 3 succeeded, 0 failed
    ring broad opens
    install dee
broke ada by=eva
    ada: eva says broke
fine ada by=max
    ada: max says fine
broke bob by=eva
    bob: eva says broke
    gate of ring canary: fail, 0 of 3 failed (feedback); 2 of 3 people say that it broke something
    roll back cyd ada bob
    quarantine p1: gate of ring canary failed
    rollout is undoing
    stop dee
    rollback cyd ada bob
done
    verify ada bob cyd, gone
    verify dee
    ada bob cyd: rolled-back
    dee: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is halted
