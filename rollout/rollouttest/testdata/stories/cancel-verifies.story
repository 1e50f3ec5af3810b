# What a cancelled rollout has installed is still looked at, and not restarted any more.

ring all devices=ada
policy reboot=always
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
pause
    rollout is paused, by hans
ok ada
    reboot ada again at day 1, 09:00
cancel
    rollout is ending, by hans
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is cancelled
