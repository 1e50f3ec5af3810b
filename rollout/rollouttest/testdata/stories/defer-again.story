# A restart that fails is tried again without another announcement; one that is needed after it is announced anew. One restart is
# enough for all patches of a device.

patch p1 reboot=always
patch p2 reboot=always
policy reboot=if-required backoff=10m deferrals="1 notice 1h"
ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    ada: restart announced, to be put off until day 4, 09:00 at the latest
    ada: to be restarted day 1, 10:00
wait
    day 1, 10:00
    reboot ada
fail ada transient
    reboot ada again at day 1, 10:11 (transient)
wait
    day 1, 10:11:50
    reboot ada
ok ada
    verify ada
ok ada reboot=yes
    ada: restart announced, to be put off until day 4, 10:11 at the latest
    ada: to be restarted day 1, 11:11
defer ada by=eva for=3h
    ada: eva puts the restart off until day 1, 13:11
wait
    day 1, 13:11:50
    reboot ada
ok ada
    verify ada
ok ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
