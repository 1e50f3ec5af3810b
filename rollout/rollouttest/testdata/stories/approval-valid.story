# An approval waits for the others for a day at most. Whoever has approved may say so again in time, or afterwards.

ring all devices=ada quorum=2 valid=1d
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1), of 2 people within 1d
approve all by=hans
    ring all: hans approves; 1 more must
sleep 25h
explain ada
    ring all waits for approval: 2 more: 2 people within 1d
approve all by=inge expires=30m
    day 2, 10:00
    ring all: inge approves; 1 more must
explain ada
    ring all waits for approval: 1 more: 2 people within 1d
sleep 2h
approve all by=kim
    day 2, 12:00
    ring all: kim approves; 1 more must
sleep 1h
approve all by=kim
    day 2, 13:00
    ring all: kim approves; 1 more must
approve all by=hans
    ring all: approved by hans
    ring all opens
    install ada
