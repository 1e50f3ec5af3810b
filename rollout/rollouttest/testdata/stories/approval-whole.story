# Leave for the whole rollout is asked for before its first ring; a later ring without a need of its own does not ask.

policy leave=2
ring canary devices=ada
ring broad devices=bob
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary: olga asks leave for 2 devices (p1), the whole rollout, of 2 people
approve canary by=hans
    ring canary: hans approves; 1 more must
approve canary by=inge
    ring canary: approved by inge
    ring canary opens
    install ada
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
