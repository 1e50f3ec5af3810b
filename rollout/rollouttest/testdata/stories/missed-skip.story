# Where a missed window means to be left out, a device that was away when it closed is; one that is back in time is not.

ring all devices=ada,bob,cyd
policy window="daily 22:00-02:00" offline-every=8h missed=skip
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 22:00
    install cyd ada bob
fail bob unreachable
    install bob again at day 2, 06:00 (unreachable)
fail cyd unreachable
    install cyd again at day 2, 06:00 (unreachable)
done ada
    verify ada
    ada: succeeded
until day 2 01:00
seen cyd
    day 2, 01:00
    cyd: seen again
    install cyd
done cyd
    verify cyd
    cyd: succeeded
until day 2 10:00
seen bob
    day 2, 10:00
    bob: seen again
    bob: away when the window closed: to be left out
    bob: skipped (unreachable)
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
explain bob
    settled: skipped
show
    done
      all: passed
        ada succeeded
        bob skipped
        cyd succeeded
