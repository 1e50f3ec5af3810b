# Whoever takes over after a crash goes on with the same drains, and puts the same devices back, whatever the moment was.

ring all devices=ada,bob
policy budget="clusters: - drained"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada bob: to be taken out of service before install
    drain ada bob
crash by=host2
    again: drain ada drain bob
    taken over by host2
ok ada
    install ada
crash by=host3
    again: install ada drain bob
    taken over by host3
ok ada
    verify ada
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
running ada
crash by=host4
    again: uncordon ada drain bob
    taken over by host4
fail ada transient
    uncordon ada again at day 1, 09:11 (transient)
crash by=host5
    again: drain bob
    taken over by host5
wait 30m
    day 1, 09:11:35
    uncordon ada
crash by=host6
    day 1, 09:30
    again: uncordon ada drain bob
    taken over by host6
done
    ada: back in service
    ada: succeeded
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
