# The deployer's word is not enough: what a fresh look does not find is installed again, and then has failed.

ring all devices=ada
policy attempts=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    verify ada
missing ada
    install ada again at day 1, 09:11 (transient)
wait
    day 1, 09:11:50
    install ada, attempt 2
ok ada
    verify ada
missing ada
    ada: failed (transient)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
show
    halted
      all: failed
        ada failed, 2 attempts
