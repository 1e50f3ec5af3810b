# What is not proved is not shared. Of ada's boot after the second installation nothing is known, so that another one proves nothing. Bob's restart
# had no effect: it reports the boot that it had. On cyd the look of the second rollout finds another boot than the first one knows, so that the
# first one need not restart it.

patch p1 reboot=always
patch p2 reboot=always
ring all devices=ada,bob,cyd
policy reboot=if-required reboot-window="daily 22:00-23:00"
start q1 patches=p1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada bob
q1: ok ada
    ada: to be restarted day 1, 22:00
q1: ok bob cyd boot=b1
    bob cyd: to be restarted day 1, 22:00
start q2 patches=p2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install ada bob cyd
q2: ok ada
    q2: ada: to be restarted day 1, 22:00
q2: ok bob boot=b1
    q2: bob: to be restarted day 1, 22:00
until day 1 22:00
    day 1, 13:00
    q2: cyd: no answer in time
    q2: verify cyd
    day 1, 17:00
    q2: cyd: no answer in time
    q2: verify cyd again at day 1, 17:10 (transient)
    day 1, 17:10:53
    q2: verify cyd
    day 1, 21:10:53
    q2: cyd: no answer in time
    q2: verify cyd again at day 1, 21:31 (transient)
    day 1, 21:31:04
    q2: verify cyd
    day 1, 22:00
    q1: reboot ada bob
q1: ok ada boot=b2
    q1: verify ada
q1: ok bob boot=b1
    q1: verify bob
show
    q1: active
      all: open
        ada unsettled, verify is running
        bob unsettled, verify is running
        cyd unsettled, waits to reboot, owes a restart
    q2: active
      all: open, 1 silent
        ada unsettled, waits to reboot, owes a restart
        bob unsettled, waits to reboot, owes a restart
        cyd unsettled, verify is running
q1: ok ada bob
    q1: ada bob: succeeded
    q2: reboot ada bob
q2: ok cyd boot=b2
    q2: cyd: succeeded
    q1: cyd: restart shared with rollout acme:q2
show
    q1: active
      all: open
        ada succeeded
        bob succeeded
        cyd unsettled, waits to verify
    q2: active
      all: open
        ada unsettled, reboot is running, owes a restart
        bob unsettled, reboot is running, owes a restart
        cyd succeeded
done
    q2: verify ada bob
    q2: ada bob: succeeded
    q2: gate of ring all: pass, 3 of 3 succeeded, 0 failed
    q2: rollout is done
show
    q1: active
      all: open
        ada succeeded
        bob succeeded
        cyd unsettled, waits to verify
    q2: done
      all: passed
        ada succeeded
        bob succeeded
        cyd succeeded
