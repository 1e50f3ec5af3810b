# Before its window opens a restart that waits for that cannot be put off: such a wish uses nothing up. Nobody puts it off once the
# deadline is over, either.

policy reboot=always deferrals="9 notice 1h each 4h deadline 6h" reboot-window="daily 20:00-21:00 UTC"
ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
defer ada by=eva
    refused: deferral of "eva": command refused: no restart of device ada is announced
ok ada
    ada: restart announced, to be put off until day 1, 15:00 at the latest
    ada: to be restarted day 1, 10:00
defer ada by=eva
explain ada
    is restarted day 1, 20:00: put off 0 of 9 times, until day 1, 15:00 at the latest
    waits to be restarted: the next window for that opens day 1, 20:00
    next: day 1, 20:00
wait 6h
defer ada by=eva
    day 1, 15:00
    ada: eva may not put the restart off: the deadline is over
explain ada
    waits to be restarted: the next window for that opens day 1, 20:00
    next: day 1, 20:00
wait
    day 1, 20:00
    reboot ada
crash by=host2
    again: reboot ada
    taken over by host2
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
