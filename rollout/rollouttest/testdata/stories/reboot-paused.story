# No device is restarted while the rollout is paused.

ring all devices=ada,bob
policy reboot=if-required
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
pause
    rollout is paused, by hans
ok ada bob reboot=yes
    reboot ada bob again at day 1, 09:00
wait 2h
explain ada
    the rollout is paused
crash
resume
    day 1, 11:00
    rollout is active, by hans
    reboot ada bob
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
