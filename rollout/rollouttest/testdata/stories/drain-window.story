# A drain is begun in the window only, as the installation is: it takes capacity away. If the window closes before the node is out, nothing is begun
# there, and it is put back. Nodes are put back at any time.

ring all devices=ada,bob
policy budget="clusters: - drained" drain-timeout=2h window="daily 10:00-11:00"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait 1h
    day 1, 10:00
    ada bob: to be taken out of service before install
    drain ada bob
ok ada
    install ada
ok ada
    verify ada
wait 1h
ok bob
    day 1, 11:00
    install bob again at day 1, 11:00
    bob: to be put back into service
    uncordon bob
ok bob
    bob: back in service
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
ok ada
    ada: back in service
    ada: succeeded
show
    active
      all: open
        ada succeeded
        bob unsettled
explain bob
    the next window opens day 2, 10:00
    next: day 2, 10:00
wait 23h
    day 2, 10:00
    bob: to be taken out of service before install
    drain bob
done
    install bob
    verify bob
    bob: to be put back into service, then succeeded
    uncordon bob
    bob: back in service
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded
