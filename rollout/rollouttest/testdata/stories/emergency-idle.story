# An approval that lifts nothing there is leaves no review due: it is an ordinary one.

ring all devices=ada emergency bypass=windows,freezes
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1), of anybody else
approve all by=hans emergency="a worm" review=24h bypass=windows,freezes
    ring all: approved by hans
    ring all opens
    install ada
reviews
