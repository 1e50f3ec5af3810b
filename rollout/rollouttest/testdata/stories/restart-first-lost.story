# The restart before an installation has no answer, and the device is found to wait for none: somebody has restarted it. The restart after the
# installation is announced as if there had been no other.

policy reboot=if-required reboot-before=if-pending window="daily 08:00-18:00" reboot-window="daily 20:00-22:00" deferrals="1 notice 1h each 4h deadline 24h"
ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look ada
missing ada reboot=yes
    ada: waits for a restart, which comes first
    ada: restart announced, to be put off until day 2, 09:00 at the latest
    ada: to be restarted day 1, 10:00
defer ada by=eva for=4h
until day 1 20:00
    day 1, 20:00
    reboot ada
fail ada unreachable
    look ada
missing ada reboot=no
    ada: waits for no restart
    install ada again at day 1, 20:00
until day 2 08:00
    day 2, 08:00
    look ada
missing ada reboot=no
    ada: waits for no restart
    install ada
ok ada reboot=yes
    ada: restart announced, to be put off until day 3, 08:00 at the latest
    ada: to be restarted day 2, 09:00
explain ada
    is restarted day 2, 20:00: put off 0 of 1 times, until day 3, 08:00 at the latest
    waits to be restarted: the next window for that opens day 2, 20:00
    next: day 2, 20:00
