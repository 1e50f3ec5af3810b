# Who asks cannot approve, an answer must be about what was asked, and it must name somebody.

ring all devices=ada approval
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1)
explain ada
    ring all waits for approval
approve all by=olga
    ring all: answer of olga does not count: who asks cannot approve
approve all by=olga
approve all by=hans digest=sha256:0
    ring all: answer of hans does not count: it is about something else: the digest differs
approve all by=""
    ring all: answer of  does not count: it names nobody
approve all by=hans request=acme:q1/all/approval/7
approve all by=hans reason="looks good"
    ring all: approved by hans: looks good
    ring all opens
    install ada
approve all by=inge
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
