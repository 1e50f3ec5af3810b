# A device that was away when its window closed begins as soon as it is back, outside of the window, and tries again there;
# but not during a freeze.

ring all devices=ada,bob,cyd
policy window="daily 22:00-02:00" offline-every=8h missed=asap freeze=2024-01-02T11:00/2024-01-02T14:00 backoff=30m
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
explain cyd
    install is running since day 2, 01:00
    next: day 2, 05:00
done cyd
    verify cyd
    cyd: succeeded
until day 2 10:00
seen bob
    day 2, 10:00
    bob: seen again
    bob: away when the window closed: to begin outside of it
    install bob
wait 45m
fail bob transient
    day 2, 10:45
    install bob again at day 2, 11:18 (transient)
until day 2 11:30
explain bob
    freeze freeze 1 is on: work may begin day 2, 14:00
    next: day 2, 14:00
crash
wait
    day 2, 14:00
    install bob, attempt 2
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 3 of 3 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded, 2 attempts
        cyd succeeded
