# A halt asks what runs to stop. What had done nothing yet is begun again later, and spends no attempt.

ring all devices=ada,bob
policy attempts=1
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
halt reason="phones are ringing"
    rollout is halted, by hans: phones are ringing
    stop ada bob
stopped ada
    install ada again at day 1, 09:00
ok bob
    verify bob
ok bob
    bob: succeeded
wait 1h
resume
    day 1, 10:00
    rollout is active, by hans
    install ada
ok ada
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
