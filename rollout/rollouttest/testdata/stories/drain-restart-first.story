# A node that waits for a restart before anything is installed is taken out of service for that, and stays out for the
# installation after it.

ring all devices=ada
policy budget="clusters: - drained" reboot=if-required reboot-before=if-pending
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look ada
ok ada reboot=yes
    ada: waits for a restart, which comes first
    ada: to be taken out of service before reboot
    drain ada
ok ada
    reboot ada
ok ada
    look ada
ok ada reboot=no
    ada: waits for no restart
    install ada
ok ada
    verify ada
done
    ada: to be put back into service, then succeeded
    uncordon ada
    ada: back in service
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
