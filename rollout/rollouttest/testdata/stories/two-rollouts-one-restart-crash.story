# The host dies with the restart under way, and with the look after it. Whoever takes over knows from the journals who works on the device, and so
# what its report proves for the other rollout. That one takes it down while it is paused, and goes on from there after the next crash.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada
policy reboot=if-required reboot-window="daily 22:00-23:00"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
q1: ok ada boot=b1
    q1: ada: to be restarted day 1, 22:00
    q2: install ada
q2: ok ada boot=b1
    q2: ada: to be restarted day 1, 22:00
until day 1 22:00
    day 1, 22:00
    q1: reboot ada
crash
    q1: again: reboot ada
q1: ok ada boot=b2
    q1: verify ada
    q2: ada: restart shared with rollout acme:q1
crash
    q1: again: verify ada
q1: ok ada boot=b2
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
    q2: verify ada
done
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
show
    q1: done
      all: passed
        ada succeeded
    q2: done
      all: passed
        ada succeeded

until day 1 23:30
start q3 patches=p1 salt=1
    day 1, 23:30
    q3: rollout is active, by olga
    q3: ring all opens
    q3: install ada
start q4 patches=p2 salt=1
    q4: rollout is active, by olga
    q4: ring all opens
q3: ok ada boot=b3
    q3: ada: to be restarted day 2, 22:00
    q4: install ada
q4: ok ada boot=b3
    q4: ada: to be restarted day 2, 22:00
until day 2 22:00
    day 2, 22:00
    q3: reboot ada
q4: pause
    q4: rollout is paused, by hans
q3: ok ada boot=b4
    q3: verify ada
    q4: ada: restart shared with rollout acme:q3
q3: ok ada
    q3: ada: succeeded
    q3: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q3: rollout is done
crash
q4: resume
    q4: rollout is active, by hans
    q4: verify ada
done
    q4: ada: succeeded
    q4: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q4: rollout is done
