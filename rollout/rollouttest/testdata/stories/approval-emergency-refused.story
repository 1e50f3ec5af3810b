# Where the policy does not offer an emergency, an approval that speaks of one is one approval of two.

ring all devices=ada quorum=2
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1), of 2 people
approve all by=hans emergency="a worm" review=24h
    ring all: hans approves; 1 more must
reviews
approve all by=inge
    ring all: approved by inge
    ring all opens
    install ada
