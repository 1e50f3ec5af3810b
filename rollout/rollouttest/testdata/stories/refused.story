# A command that makes no sense is refused, says why, and changes nothing.

ring canary devices=ada
ring broad devices=bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
pause by=""
    refused: pause: command refused: it names nobody
resume
    refused: resume: command refused: the rollout is active
promote canary by=""
    refused: promote: command refused: it names nobody
promote nowhere
    refused: promote: command refused: no ring "nowhere"
promote broad
    refused: promote: command refused: ring broad is waiting
undo-ring nowhere
    refused: undo-ring: command refused: no ring "nowhere"
undo-device nobody
    refused: undo-device: command refused: device "nobody" is not in the plan
undo-device bob
    refused: undo-device: command refused: nothing was begun on device bob that could be taken back
skip nobody
    refused: skip: command refused: device "nobody" is not in the plan
skip ada
    refused: skip: command refused: device ada is being worked on or settled
release p1
    refused: release: command refused: patch "p1" is not in quarantine here
undo-ring broad
    refused: undo-ring: command refused: nothing was begun that could be taken back
pause
    rollout is paused, by hans
pause
    refused: pause: command refused: the rollout is paused
resume
    rollout is active, by hans
done
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install bob
    verify bob
    bob: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
pause
    refused: pause: rollout is over
release p9
    refused: release: command refused: patch "p9" is not in quarantine here
