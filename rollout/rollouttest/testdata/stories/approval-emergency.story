# In an emergency one of those who may decide approves alone. The first ring still comes first, what was bypassed is
# written down, and the review stays due after the rollout is over, until somebody else closes it.

ring canary devices=ada
ring broad devices=bob quorum=2 approvers=hans,ida,inge emergency
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
approve broad by=hans emergency="a worm" review=24h
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1), of 2 of hans, ida, inge
approve broad by=kim emergency="a worm" review=24h
    ring broad: answer of kim does not count: not one of those whose leave it takes
approve broad by=olga emergency="a worm" review=24h
    ring broad: answer of olga does not count: who asks cannot approve
approve broad by=hans emergency="a worm"
    ring broad: answer of hans does not count: an emergency needs a reason and a date for its review
approve broad by=hans emergency="a worm" review=24h
    ring broad: approved by hans in an emergency: a worm; bypassed: 1 more: 2 of hans, ida, inge; review due day 2, 09:00
    ring broad opens
    install bob
crash
    again: install bob
reviews
    broad: a worm by hans, bypassed 1 more: 2 of hans, ida, inge, due day 2, 09:00
done
    verify bob
    bob: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
sleep 25h
reviews
    broad: a worm by hans, bypassed 1 more: 2 of hans, ida, inge, due day 2, 09:00, overdue
review broad by=Hans reason="was fine"
    day 2, 10:00
    refused: review: command refused: hans approved it: somebody else must review it
review broad by=ida
    refused: review: command refused: a review says what it found
review canary by=ida reason="was fine"
    refused: review: command refused: no review of ring "canary" is due
review broad by=ida reason="was fine"
    ring broad: approval in an emergency reviewed by ida: was fine
review broad by=ida reason="was fine"
    refused: review: command refused: no review of ring "broad" is due
reviews
    broad: a worm by hans, bypassed 1 more: 2 of hans, ida, inge, due day 2, 09:00, closed day 2, 10:00 by ida: was fine
