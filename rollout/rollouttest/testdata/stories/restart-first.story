# With reboot-before=if-pending every device is looked at before anything is installed there. One that waits for a restart, be it for an
# update of last month, is restarted first, and looked at again; one that does not is patched at once. Of one that cannot say, it is written
# down that nobody knows.

policy reboot=if-required reboot-before=if-pending
ring all devices=ada,bob,cyd
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look cyd ada bob
missing ada reboot=yes
    ada: waits for a restart, which comes first
    reboot ada
missing bob reboot=no
    bob: waits for no restart
    install bob
missing cyd
    cyd: not known whether it waits for a restart, and patched all the same
    install cyd
explain ada
    reboot is running since day 1, 09:00
    next: day 1, 09:30
ok bob
    verify bob
ok cyd
    verify cyd
ok ada boot=b2
    look ada
crash
    again: verify cyd look ada verify bob
missing ada reboot=no
    ada: waits for no restart
    install ada
ok ada reboot=yes
    reboot ada
ok ada boot=b3
    verify ada
ok ada reboot=no
    ada: succeeded
done
    bob cyd: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
        cyd succeeded
