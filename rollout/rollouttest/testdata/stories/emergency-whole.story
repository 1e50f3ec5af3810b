# Leave for the whole rollout, given in an emergency, lifts the windows of all its rings, which come one after the other all the
# same. A ring with approvers of its own still asks them.

policy window="daily 20:00-22:00 UTC" leave=2 leave-bypass=windows freeze=2024-01-02/2024-01-09
ring canary devices=ada
ring pilot devices=bob window="sat 20:00-22:00 UTC"
ring broad devices=cyd quorum=2
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring canary: olga asks leave for 3 devices (p1), the whole rollout, of 2 people
approve canary by=hans emergency="a worm" review=24h bypass=windows
    ring canary: approved by hans in an emergency: a worm; bypassed: 1 more: 2 people; windows of ring canary; windows of ring pilot; windows of ring broad; review due day 2, 09:00
    ring canary opens
    install ada
explain cyd
    ring broad is not open: it waits for ring canary, 0 of 1 succeeded (0% < 100%), 0 failed, 1 device missing
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring pilot opens
    install bob
fail bob busy
    install bob again at day 1, 09:05 (busy)
crash
wait
    day 1, 09:05
    install bob
done bob
    verify bob
    bob: succeeded
    gate of ring pilot: pass, 1 of 1 succeeded, 0 failed
    ring broad: olga asks leave for 1 device (p1), of 2 people
approve broad by=hans
    ring broad: hans approves; 1 more must
approve broad by=ida
    ring broad: approved by ida
    ring broad opens
    install cyd
done cyd
    verify cyd
    cyd: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
