# What cannot be taken back is refused before anything is touched.

patch p1 reversal=none
ring canary devices=ada
ring broad devices=bob approval
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1)
undo
    refused: undo: command refused: p1 cannot be taken back
undo force reason="please"
    refused: undo: command refused: p1 cannot be taken back
undo-device ada
    refused: undo-device: command refused: p1 cannot be taken back
show
    active
      canary: passed
        ada succeeded
      broad: asking
        bob unsettled
