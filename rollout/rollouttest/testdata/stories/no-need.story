# Nobody in the last ring needs the patch any more: there is nothing to judge, and nobody comes after it. In an earlier ring that would be zero of
# zero, and those that come next would be the first: it holds and asks.

ring canary devices=ada,bob soak=2h
ring broad devices=cyd,dan,eva soak=2h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
fail ada bob already-installed
    verify ada bob
ok ada bob
    ada bob: already-installed
    gate of ring canary: inconclusive, 0 of 0 succeeded, 0 failed
    ring canary is held: inconclusive
skip eva reason="is replaced"
    eva: skipped
promote canary
    gate of ring canary: promoted by hans, 0 of 0 succeeded, 0 failed
    ring broad opens
    install cyd dan
fail cyd superseded
    cyd: superseded (superseded)
fail dan not-applicable
    dan: not-applicable (not-applicable)
    gate of ring broad: pass, 0 of 0 succeeded, 0 failed (no-need)
    rollout is done
