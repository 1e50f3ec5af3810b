# A departure that makes no sense changes nothing, nor does one beside it.

ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
leave eve retired
    refused: device cannot leave: device eve: it is not in the plan
leave ada,ada retired
    refused: device cannot leave: device ada: it stands twice
leave ada unknown
    refused: device cannot leave: device ada: unknown is no way to leave
leave ada retired ring=all
    refused: device cannot leave: device ada: ring all, and it is retired
leave bob,eve moved
    refused: device cannot leave: device eve: it is not in the plan
done
    verify ada bob
    ada bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
leave ada retired
    refused: departures: rollout is over
