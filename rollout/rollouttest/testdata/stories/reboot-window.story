# Installed by day, restarted by night: a device that waits for its restart keeps no place, other rollouts may have it
# meanwhile, and what is proved is what is true after the restart. No more devices are restarted at once than may be worked on.

patch p1
patch p2
ring all devices=ada,bob
policy reboot=if-required reboot-window="daily 22:00-02:00" maxactive=1
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada reboot=yes
    ada: to be restarted day 1, 22:00
    install bob
explain ada
    waits to be restarted: the next window for that opens day 1, 22:00
    1 of 1 devices are being worked on
    next: day 1, 22:00
ok bob reboot=yes
    bob: to be restarted day 1, 22:00
crash
ring all devices=ada
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada
done ada
    q2: verify ada
    q2: ada: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
until day 1 22:00
    day 1, 22:00
    q1: reboot ada
q1: explain bob
    1 of 1 devices are being worked on
q1: ok ada boot=b2
    q1: verify ada
q1: done ada
    q1: ada: succeeded
    q1: reboot bob
q1: ok bob boot=b2
    q1: verify bob
done
    q1: bob: succeeded
    q1: gate of ring all: pass, 2 of 2 succeeded, 0 failed
    q1: rollout is done
show
    q1: done
      all: passed
        ada succeeded
        bob succeeded
    q2: done
      all: passed
        ada succeeded
