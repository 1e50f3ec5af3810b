# An approval in an emergency lifts windows and freezes, as far as the policy lets that person, and only for the ring that it is
# about: the first ring waits for its own time and its own gate. What was lifted is written down, and the review is due.

policy window="daily 20:00-22:00 UTC" reboot=if-required reboot-window="daily 23:00-24:00 UTC" freeze=2024-01-01/2024-01-01T20:00 freeze=2024-01-02/2024-01-09
ring canary devices=ada
ring broad devices=bob,cyd maxactive=1 approvers=hans,group:board emergency bypass=windows,freezes
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
explain ada
    freeze freeze 1 is on: work may begin day 1, 20:00
    next: day 1, 20:00
wait
    day 1, 20:00
    install ada
ok ada reboot=yes
    ada: to be restarted day 1, 23:00
wait
    day 1, 23:00
    reboot ada
ok ada boot=b2
    verify ada
done ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 2 devices (p1), of 1 of hans, group:board
approve broad by=kim emergency="a worm" review=24h bypass=windows,freezes
    ring broad: answer of kim does not count: not one of those whose leave it takes
approve broad by=olga emergency="a worm" review=24h bypass=windows,freezes
    ring broad: answer of olga does not count: who asks cannot approve
approve broad by=hans emergency="a worm" bypass=windows,freezes
    ring broad: answer of hans does not count: an emergency needs a reason and a date for its review
explain bob
    ring broad waits for approval: 1 more: 1 of hans, group:board
    the next window opens day 9, 20:00
    next: day 9, 20:00
approve broad by=hans emergency="a worm" review=24h bypass=windows,freezes
    ring broad: approved by hans in an emergency: a worm; bypassed: windows of ring broad; windows for restarts; freeze freeze 1; freeze freeze 2; review due day 2, 23:00
    ring broad opens
    install cyd
crash
    again: install cyd
explain bob
    1 of 1 devices are being worked on in ring broad
ok cyd reboot=yes
    reboot cyd
ok cyd boot=b2
    verify cyd
done
    cyd: succeeded
    install bob
    verify bob
    bob: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
reviews
    broad: a worm by hans, bypassed windows of ring broad; windows for restarts; freeze freeze 1; freeze freeze 2, due day 2, 23:00
review broad by=ida reason="it was one"
    ring broad: approval in an emergency reviewed by ida: it was one
reviews
    broad: a worm by hans, bypassed windows of ring broad; windows for restarts; freeze freeze 1; freeze freeze 2, due day 2, 23:00, closed day 1, 23:00 by ida: it was one
