# Paused time uses up none of the time that devices have to answer.

ring canary devices=ada,bob,cyd maxfailed=80% tolerate=2% within=2h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
wait 1h
pause
    day 1, 10:00
    rollout is paused, by hans
wait 5h
    day 1, 13:00
    cyd ada bob: no answer in time
    verify cyd ada bob
resume
    day 1, 15:00
    rollout is active, by hans
wait 30m
wait 30m
    day 1, 16:00
    cyd ada bob: no outcome in time, counted as failed
    gate of ring canary: fail, 0 of 3 failed (evidence); of 3 begun 3 failed, e-value 681; rate 23.2% to 100%
    rollout is halted
