# A download goes on beside the work of others, and may have been begun before they installed anything: what it says of the boot proves no restart.

patch p1 reboot=always
patch p2
ring all devices=ada
policy reboot=if-required reboot-window="daily 22:00-23:00"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
q1: ok ada boot=b1
    ada: to be restarted day 1, 22:00
policy window="daily 20:00-23:00" download-window="daily 00:00-24:00"
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: download ada
q2: ok ada boot=b2
    q2: ada: downloaded
q1: explain ada
    waits to be restarted: the next window for that opens day 1, 22:00
    next: day 1, 22:00
until day 1 20:00
    day 1, 20:00
    q2: install ada
q2: ok ada boot=b2
    q2: verify ada
    q1: ada: restart shared with rollout acme:q2
done
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
    q1: verify ada
    q1: ada: succeeded
    q1: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q1: rollout is done
