# A node that is no longer there is put back by nobody. One that was made anew may still be kept out of service by those that know of it: it is drained again before
# anything is installed, and put back after that.

ring all devices=ada,bob
policy budget="clusters: - 2 drained"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada bob: to be taken out of service before install
    drain ada bob
ok ada
    install ada
ok bob
    install bob
leave ada retired
    ada: no longer there; ada was being worked on
    stop ada
    ada: gone
leave bob reimaged
    bob: made anew, so that what is known of it is true no more; bob was being worked on
    bob: open again
    bob: to be taken out of service before install
    drain bob
explain bob
    drain is running since day 1, 09:00
    next: day 1, 10:00
ok bob
    install bob
ok bob
    verify bob
done
    bob: to be put back into service, then succeeded
    uncordon bob
    bob: back in service
    bob: succeeded
    gate of ring all: pass, 1 of 1 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada gone
        bob succeeded
