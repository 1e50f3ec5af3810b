# Who promotes a ring that people complain about takes it as it is. Words that cannot count are refused.

policy feedback="1"
ring canary devices=ada soak=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
broke ada
    refused: feedback of "": command refused: it is nobody's
done
    verify ada
    ada: succeeded
    ring canary soaks until day 1, 10:00
broke ada by=eva
    ada: eva says broke
    gate of ring canary: fail, 0 of 1 failed (feedback); 1 of 1 people say that it broke something
    rollout is halted
promote canary
    gate of ring canary: promoted by hans, 1 of 1 succeeded, 0 failed; 1 of 1 people say that it broke something
resume
    rollout is active, by hans
    rollout is done
broke ada by=max
    refused: feedback of "max": rollout is over
