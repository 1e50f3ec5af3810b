# A restart is announced, and people may put it off: so often, so long at once, and until a deadline. Then the device is restarted,
# whether they like it or not. Meanwhile it keeps no place.

policy reboot=always maxactive=1 deferrals="2 notice 1h each 4h deadline 8h"
ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    ada: restart announced, to be put off until day 1, 17:00 at the latest
    ada: to be restarted day 1, 10:00
    install bob
explain ada
    is restarted day 1, 10:00: put off 0 of 2 times, until day 1, 17:00 at the latest
    1 of 1 devices are being worked on
    next: day 1, 10:00
defer ada by=eva for=2h
    ada: eva puts the restart off until day 1, 11:00
defer ada by=eva for=1h
wait 30m
defer ada by=max
    day 1, 09:30
    ada: max puts the restart off until day 1, 13:30
explain ada
    is restarted day 1, 13:30: put off 2 of 2 times, until day 1, 17:00 at the latest
    1 of 1 devices are being worked on
    next: day 1, 13:30
defer ada by=eva
    ada: eva may not put the restart off: it was put off often enough
ok bob
    bob: restart announced, to be put off until day 1, 17:30 at the latest
    bob: to be restarted day 1, 10:30
defer bob
    refused: deferral of "": command refused: it is nobody's
wait 1h
    day 1, 10:30
    reboot bob
done
    verify bob
    bob: succeeded
wait
    day 1, 13:30
    reboot ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
