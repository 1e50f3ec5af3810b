# A device that does not come back properly is restarted three times and not more.

ring all devices=ada
policy reboot=always attempts=9 backoff=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    reboot ada
fail ada transient "same boot"
    reboot ada again at day 1, 10:11 (transient)
wait
    day 1, 10:11:05
    reboot ada
fail ada transient "same boot"
    reboot ada again at day 1, 12:23 (transient)
wait
    day 1, 12:23:29
    reboot ada
fail ada transient "same boot"
    ada: failed (transient)
    gate of ring all: fail, 1 of 1 failed
    rollout is halted
show
    halted
      all: failed
        ada failed
