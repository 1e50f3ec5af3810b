# A policy that says nothing of joiners leaves them to the next rollout, and whoever brings one is told so.

devices 3
ring all rest
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install d2 d1 d3
join eve
    refused: device cannot join: policy "" leaves joiners to the next rollout
done
    verify d1 d2 d3
    d1 d2 d3: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
