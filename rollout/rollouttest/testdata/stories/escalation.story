# Levels of an escalation are raised once: after failed attempts of a device, at a share of failures in a ring, or when a person is waited
# for too long. They are cleared when the reason is gone.

ring canary devices=ada,bob maxfailed=100% manual
ring broad devices=cyd,dan,eve,fay maxfailed=100%
policy attempts=3 backoff=1h level="helpdesk 2 0 0" level="boss 3 20% 8h"
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
fail ada transient
    install ada again at day 1, 10:01 (transient)
wait 2h
    day 1, 10:01:58
    install ada, attempt 2
fail ada transient
    day 1, 11:00
    install ada again at day 1, 13:22 (transient)
    helpdesk is to know of ring canary: attempts, ada
fail bob permanent
    bob: failed (permanent)
    gate of ring canary: inconclusive, 0 of 2 succeeded, 1 failed (manual)
    ring canary is held: manual
    boss is to know of ring canary: failed
show
    active
      canary: held, manual
        ada unsettled, 2 attempts
        bob failed
      broad: waiting
        cyd unsettled
        dan unsettled
        eve unsettled
        fay unsettled
wait 9h
    day 1, 13:22:11
    install ada, attempt 3
    day 1, 17:22:11
    ada: no answer in time
    verify ada
    day 1, 19:00
    boss is to know of ring canary: waiting
done
    day 1, 20:00
    ada: succeeded
    helpdesk need not know of ring canary any more: attempts, ada
explain cyd
    ring broad is not open: it waits for ring canary, 1 of 2 succeeded, 1 failed
    ring canary is held: manual
promote canary
    gate of ring canary: promoted by hans, 1 of 2 succeeded, 1 failed
    ring broad opens
    boss need not know of ring canary any more: waiting
    install eve fay dan cyd
fail cyd permanent
    cyd: failed (permanent)
    gate of ring broad: pass, 0 of 4 succeeded, 1 failed
    boss is to know of ring broad: failed
fail dan disk-full
    install dan again at day 1, 21:11 (disk-full)
wait 3h
    day 1, 21:11:28
    install dan, attempt 2
fail dan disk-full
    day 1, 23:00
    install dan again at day 2, 01:22 (disk-full)
    helpdesk is to know of ring broad: attempts, dan
explain dan
    install is tried again at day 2, 01:22 (disk-full)
    escalated to helpdesk, boss
    next: day 2, 01:22:19
wait 3h
    day 2, 00:00
    eve fay: no answer in time
    verify eve fay
    day 2, 01:22:19
    install dan, attempt 3
crash
    day 2, 02:00
    again: verify eve verify fay install dan
fail dan disk-full
    dan: failed (disk-full)
    boss is to know of ring broad: attempts, dan
acknowledge dan
    dan: acknowledged by hans
    helpdesk need not know of ring broad any more: attempts, dan
    boss need not know of ring broad any more: attempts, dan
done
    eve fay: succeeded
    rollout is done
show
    done
      canary: passed
        ada succeeded, 3 attempts
        bob failed
      broad: passed
        cyd failed
        dan failed, 3 attempts
        eve succeeded
        fay succeeded
