# What an emergency does not lift stands: this one passes a freeze and still waits for the window, and what nobody may lift is
# refused. The next ring, which asks nobody, has the freeze all the same.

policy window="daily 20:00-22:00 UTC" freeze=2024-01-01/2024-01-09
ring canary devices=ada emergency bypass=freezes
ring broad devices=bob
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary: olga asks leave for 1 device (p1), of anybody else
approve canary by=hans emergency="a worm" review=24h bypass=windows,freezes
    ring canary: answer of hans does not count: it bypasses what that person may not bypass
approve canary by=hans emergency="a worm" review=24h bypass=windows
approve canary by=hans emergency="a worm" review=24h bypass=freezes
    ring canary: approved by hans in an emergency: a worm; bypassed: freeze freeze 1; review due day 2, 09:00
    ring canary opens
explain ada
    the next window opens day 1, 20:00
    next: day 1, 20:00
wait
    day 1, 20:00
    install ada
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
explain bob
    freeze freeze 1 is on: work may begin day 9, 20:00
    next: day 9, 20:00
reviews
    canary: a worm by hans, bypassed freeze freeze 1, due day 2, 09:00
