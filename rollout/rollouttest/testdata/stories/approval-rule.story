# A rule may approve in place of two people, but not before a ring has passed its own gate: one that a person promoted proves
# nothing.

ring canary devices=ada manual
ring pilot devices=bob quorum=2 byrule
ring broad devices=cy quorum=2 byrule
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring canary: inconclusive, 1 of 1 succeeded, 0 failed (manual)
    ring canary is held: manual
promote canary by=hans reason="fine by me"
    gate of ring canary: promoted by hans, 1 of 1 succeeded, 0 failed: fine by me
    ring pilot: olga asks leave for 1 device (p1), of 2 people, or a rule
approve pilot rule="pilot is fine"
    ring pilot: answer of rule:pilot is fine does not count: no ring has passed its gate yet, and a rule cannot approve before
approve pilot by=hans
    ring pilot: hans approves; 1 more must
approve pilot by=inge
    ring pilot: approved by inge
    ring pilot opens
    install bob
done
    verify bob
    bob: succeeded
    gate of ring pilot: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1), of 2 people, or a rule
approve broad rule="pilot is fine"
    ring broad: approved by rule:pilot is fine
    ring broad opens
    install cy
done
    verify cy
    cy: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
