# A person leaves a device out: it is in no denominator.

ring canary devices=ada,bob window="mon 10:00-12:00"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
skip bob by=olga reason="board meeting"
    bob: skipped
skip bob
    refused: skip: command refused: device bob is being worked on or settled
wait
    day 1, 10:00
    install ada
skip ada
    refused: skip: command refused: device ada is being worked on or settled
done
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        ada succeeded
        bob skipped
