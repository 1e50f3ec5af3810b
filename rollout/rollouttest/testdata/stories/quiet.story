# In quiet times nobody is disturbed: no restart is announced, and no device is restarted. What falls due then is announced at the end of
# them, and a deadline that falls in one is moved to its end. Each device goes by its own clock.

policy reboot=always timeout=24h window="daily 08:00-24:00 UTC" deferrals="2 notice 1h each 14h deadline 14h" quiet="daily 20:00-07:00"
ring all devices=ada,bob,eve
device eve zone=Asia/Tokyo
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install eve ada bob
ok ada
    ada: restart announced, to be put off until day 2, 07:00 at the latest
    ada: to be restarted day 1, 10:00
ok eve
    eve: restart announced, to be put off until day 1, 23:00 at the latest
    eve: to be restarted day 1, 10:00
explain eve
    is restarted day 1, 10:00: put off 0 of 2 times, until day 1, 23:00 at the latest
    next: day 1, 10:00
defer ada by=kim
    ada: kim puts the restart off until day 1, 23:00
explain ada
    is restarted day 2, 07:00: put off 1 of 2 times, until day 2, 07:00 at the latest
    next: day 2, 07:00
wait
    day 1, 10:00
    reboot eve
done eve
    verify eve
    eve: succeeded
until day 1 21:00
ok bob
    day 1, 21:00
    bob: to be restarted day 2, 07:00
explain bob
    waits to be restarted: the next window for that opens day 2, 07:00
    next: day 2, 07:00
crash
until day 2 07:00
    day 2, 07:00
    bob: restart announced, to be put off until day 3, 07:00 at the latest
    bob: to be restarted day 2, 08:00
    reboot ada
done ada
    verify ada
    ada: succeeded
wait
    day 2, 08:00
    reboot bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
