# A person asks at the device: the next window is said by the clock on its wall too, as is that for restarts. One whose windows go by UTC has one clock.

patch p1 reboot=always
ring all devices=ada,bob
device ada zone=Europe/Berlin
device bob zone=UTC
policy window="sat 22:00-23:59" download-window="thu 10:00-12:00" reboot=if-required
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
explain ada
    downloads ahead from day 4, 09:00 (Thu 10:00 Europe/Berlin)
    the next window opens day 6, 21:00 (Sat 22:00 Europe/Berlin)
    next: day 4, 09:00
explain bob
    downloads ahead from day 4, 10:00
    the next window opens day 6, 22:00
    next: day 4, 10:00
