# Who asks cannot approve, however the name is written.

ring all devices=ada approval
start q1 by=olga
    day 1, 09:00
    rollout is active, by olga
    ring all: olga asks leave for 1 device (p1)
approve all by=" Olga "
    ring all: answer of  Olga  does not count: who asks cannot approve
approve all by=hans
    ring all: approved by hans
    ring all opens
    install ada
show
    active
      all: open
        ada unsettled, install is running
