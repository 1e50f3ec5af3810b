# The restart before an installation keeps the windows for restarts, and people may put it off as any other. Meanwhile the device keeps no
# place. When it has come back it is looked at, whatever the hour, and takes its turn again.

policy reboot=if-required reboot-before=if-pending maxactive=1 window="daily 08:00-18:00" reboot-window="daily 20:00-22:00" deferrals="1 notice 1h each 4h deadline 24h"
ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look ada
missing ada reboot=yes
    ada: waits for a restart, which comes first
    ada: restart announced, to be put off until day 2, 09:00 at the latest
    ada: to be restarted day 1, 10:00
    look bob
explain ada
    it is restarted before anything is installed
    is restarted day 1, 20:00: put off 0 of 1 times, until day 2, 09:00 at the latest
    waits to be restarted: the next window for that opens day 1, 20:00
    1 of 1 devices are being worked on
    next: day 1, 20:00
missing bob reboot=no
    bob: waits for no restart
    install bob
crash
    again: install bob
done bob
    verify bob
    bob: succeeded
defer ada by=eva for=12h
until day 1 20:00
    day 1, 20:00
    reboot ada
ok ada boot=b2
    look ada
missing ada reboot=no
    ada: waits for no restart
    install ada again at day 1, 20:00
explain ada
    the next window opens day 2, 08:00
    next: day 2, 08:00
until day 2 08:00
    day 2, 08:00
    look ada
missing ada reboot=no
    ada: waits for no restart
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
