# A rollout that does not ask for it is not halted by what fails elsewhere.

ring canary devices=ada,bob tolerate=2%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
gather p1 tenants=9 failing=3 devices=300 failed=30
