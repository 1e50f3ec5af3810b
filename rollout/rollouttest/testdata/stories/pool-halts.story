# What fails elsewhere halts a rollout whose ring asks for it, once; it never lets a ring pass.

ring canary devices=ada,bob pooled tolerate=2%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
gather p1 tenants=9 failing=0 devices=900000 failed=0
gather other tenants=9 failing=5 devices=100 failed=50
gather p1 tenants=9 failing=1 devices=100 failed=50
gather p1 tenants=9 failing=2 devices=300 failed=9
gather p1 tenants=9 failing=3 devices=300 failed=30
    elsewhere 30 of 300 devices of 9 tenants failed with p1: e-value 1.92e+10 against the 2% of ring canary
    rollout is halted
    stop ada bob
resume by=olga
    rollout is active, by olga
gather p1 tenants=9 failing=3 devices=400 failed=60
