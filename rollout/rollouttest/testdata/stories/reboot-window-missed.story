# A device that is not restarted before its window closes waits for the next one; so does another try at it.

ring all devices=ada,bob
policy reboot=if-required reboot-window="daily 22:00-02:00" maxactive=1 reboot-timeout=8h backoff=2h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok reboot=yes
    ada: to be restarted day 1, 22:00
    install bob
ok reboot=yes
    bob: to be restarted day 1, 22:00
until day 2 01:30
    day 1, 22:00
    reboot ada
fail ada transient
    day 2, 01:30
    reboot ada again at day 2, 03:52 (transient)
explain ada
    reboot is tried again at day 2, 03:52 (transient)
    1 of 1 devices are being worked on
    next: day 2, 03:52:11
explain bob
    1 of 1 devices are being worked on
until day 2 22:00
    day 2, 03:52:11
    ada: to be restarted day 2, 22:00
    day 2, 22:00
    reboot bob
explain bob
    reboot is running since day 2, 22:00
    next: day 3, 06:00
ok boot=b2
    verify bob
done ada
ok boot=b2
    bob: succeeded
    reboot ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
