# Time does not go backwards: a signal from the past is refused.

ring all devices=ada
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
wait 2h
back 1h
    day 1, 11:00
    refused: rollout.Tick at 2024-01-01T10:00:00Z after 2024-01-01T11:00:00Z: time went backwards
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
