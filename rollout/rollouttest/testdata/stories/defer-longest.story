# Nobody puts a restart off for longer than the deadline; then it is due.

policy reboot=always deferrals="9 notice 1h each 4h deadline 6h"
ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
ok ada
    ada: restart announced, to be put off until day 1, 15:00 at the latest
    ada: to be restarted day 1, 10:00
defer ada by=eva
    ada: eva puts the restart off until day 1, 13:00
wait 3h
defer ada by=eva
    day 1, 12:00
    ada: eva puts the restart off until day 1, 15:00
explain ada
    is restarted day 1, 15:00: put off 2 of 9 times, until day 1, 15:00 at the latest
    next: day 1, 15:00
wait
    day 1, 15:00
    reboot ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
