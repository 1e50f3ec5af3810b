# Two people, one of them from the board: nobody counts twice, nobody counts who asked, and the ring opens with the second.

ring all devices=ada quorum=2 approvers=hans,group:board
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1), of 2 of hans, group:board
approve all by=kim
    ring all: answer of kim does not count: not one of those whose leave it takes
approve all by=olga groups=board
    ring all: answer of olga does not count: who asks cannot approve
approve all by=hans
    ring all: hans approves; 1 more must
approve all by=hans
explain ada
    ring all waits for approval: 1 more: 2 of hans, group:board
crash
    again: ask for ring all
approve all by=" Hans " groups=board
approve all by=ida groups=staff,board reason=fine
    ring all: approved by ida: fine
    ring all opens
    install ada
done
    verify ada
    ada: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
