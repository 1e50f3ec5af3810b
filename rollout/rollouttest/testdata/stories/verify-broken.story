# What is there and does not work is a failure at once.

ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    verify ada
fail ada permanent "does not boot the database"
    ada: failed (permanent)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
