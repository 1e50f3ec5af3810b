# Somebody has mended what made two devices fail, and has them tried again. Each is tried once, whatever the policy's own attempts were, in its
# turn and inside its window. Their ring, which had failed for them, is open again, and goes on once the rollout is resumed. The
# gate says how many were tried again by hand.

ring all devices=ada,bob,cyd,dan maxfailed=25% window="daily 08:00-12:00 UTC"
policy attempts=2 backoff=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada dan bob
done ada bob
    verify ada bob
    ada bob: succeeded
fail cyd permanent "no space for the kernel"
    cyd: failed (permanent)
fail dan transient "mirror down"
    install dan again at day 1, 10:11 (transient)
wait 2h
    day 1, 10:11:28
    install dan, attempt 2
fail dan transient "mirror down"
    day 1, 11:00
    dan: failed (transient)
    gate of ring all: fail, 2 of 4 failed
    rollout is halted
show
    halted
      all: failed
        ada succeeded
        bob succeeded
        cyd failed
        dan failed, 2 attempts
resume by=hans
    refused: resume: command refused: ring all has failed: have what failed tried again, promote it, roll back, or cancel
until day 1 13:00
retry cyd,dan by=hans reason="mirror is up, kernel removed"
    day 1, 13:00
    cyd dan: tried again by hand, by hans: mirror is up, kernel removed
    ring all is open again
show
    halted
      all: open
        ada succeeded
        bob succeeded
        cyd unsettled, 0 by hand
        dan unsettled, 2 attempts, 0 by hand
explain dan
    the rollout is halted
    the next window opens day 2, 08:00
    tried again by hand, times: 1; installations begun so: 0; of its own: 2 of 2
    next: day 2, 08:00
retry cyd by=hans
    refused: retry: command refused: device cyd: it is being tried already
resume by=hans
    rollout is active, by hans
until day 2 08:00
    day 2, 08:00
    install cyd dan
show
    active
      all: open
        ada succeeded
        bob succeeded
        cyd unsettled, install is running, 1 by hand
        dan unsettled, install is running, 2 attempts, 1 by hand
done dan
    verify dan
    dan: succeeded
    gate of ring all: pass, 3 of 4 succeeded, 1 failed; 2 tried again by hand, 1 of them still
explain cyd
    install is running since day 2, 08:00
    tried again by hand, times: 1; installations begun so: 1; of its own: 1 of 2
    next: day 2, 12:00
fail cyd transient "no space for the kernel"
    cyd: failed (transient)
    rollout is done
explain cyd
    settled: failed (transient), installations begun: 2
    tried again by hand, times: 1; installations begun so: 1; of its own: 1 of 2
show
    done
      all: passed
        ada succeeded
        bob succeeded
        cyd failed, 1 by hand
        dan succeeded, 2 attempts, 1 by hand
