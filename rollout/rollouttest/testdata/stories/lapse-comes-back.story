# A device that was lost after its installation is looked at first when it comes back, whatever the hour.

ring canary devices=ada,bob denominator=reached maxactive=1 window="mon 09:00-10:00"
ring broad devices=cyd
policy grace=24h offline-every=36h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
ok ada
    verify ada
fail ada unreachable
    verify ada again at day 2, 21:00 (unreachable)
wait 30h
    day 2, 09:00
    ada: unreachable for too long to wait for
seen ada
    day 2, 15:00
    ada: seen again
    verify ada
ok ada
    ada: succeeded
show
    active
      canary: open
        ada succeeded
        bob unsettled
      broad: waiting
        cyd unsettled
