# A gate can be told to fail when it runs out of time.

ring canary devices=ada timeout=6h on-timeout=fail
policy timeout=12h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
wait
    day 1, 15:00
    gate of ring canary: fail, 0 of 1 failed (timeout)
    rollout is halted
    stop ada
show
    halted
      canary: failed
        ada unsettled, install is running
resume
    refused: resume: command refused: ring canary has failed: have what failed tried again, promote it, roll back, or cancel
promote canary
    gate of ring canary: promoted by hans, 0 of 1 succeeded, 0 failed
resume
    rollout is active, by hans
