# Devices that say nothing count as failed once their time is up, and an answer that comes later does not take that back.

ring canary devices=ada,bob,cyd,dee maxfailed=80% tolerate=2% within=2h
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada dee bob
done ada bob
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 4 succeeded, 0 failed; of 4 begun 0 failed, e-value 1; rate 0% to 100%
    ring broad opens
    install zoe
wait 1h
wait 1h
    day 1, 11:00
    cyd dee: no outcome in time, counted as failed
    gate of ring canary: fail, 0 of 4 failed (evidence); of 4 begun 2 failed, e-value 32.7; rate 4.26% to 95.74%
    rollout is halted
    stop cyd dee zoe
ok cyd
    verify cyd
show
    halted
      canary: failed
        ada succeeded
        bob succeeded
        cyd unsettled, verify is running
        dee unsettled, install is running
      broad: open
        zoe unsettled, install is running
