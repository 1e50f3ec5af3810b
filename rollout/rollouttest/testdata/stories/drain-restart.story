# A restart is disruptive as well. A node that waits for its restart has been patched, and stays out of service; but others may have worked on it since,
# so that it is made sure that it is out before it is restarted.

ring all devices=ada
policy budget="clusters: - drained" reboot=if-required reboot-window="daily 22:00-23:00"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada: to be taken out of service before install
    drain ada
ok ada
    install ada
ok ada reboot=yes
    ada: to be restarted day 1, 22:00
explain ada
    waits to be restarted: the next window for that opens day 1, 22:00
    it was taken out of service, and is not known to be back
    next: day 1, 22:00
wait 13h
    day 1, 22:00
    ada: to be taken out of service before reboot
    drain ada
ok ada
    reboot ada
ok ada
    verify ada
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
ok ada
    ada: back in service
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
