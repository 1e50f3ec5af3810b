# A gate is judged while the rollout is paused too: failures that come in then do not wait for somebody to resume it.

ring canary devices=ada,bob,cyd
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
pause
    rollout is paused, by hans
fail ada permanent
    ada: failed (permanent)
    gate of ring canary: fail, 1 of 3 failed
    rollout is halted
    stop cyd bob
