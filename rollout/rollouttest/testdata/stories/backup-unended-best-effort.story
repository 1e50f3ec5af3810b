# A backup that is wanted only if it can be made is no reason to install while it may still be running: a person is needed.

ring all devices=ada,bob,cyd,dan maxfailed=100%
policy timeout=4h backup=best-effort undo-wait=1h
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    backup ada dan cyd bob
running cyd
fail cyd unreachable
    backup cyd again at day 1, 10:00 (unreachable)
wait 1h
    day 1, 10:00
    verify cyd
missing cyd idle=yes
    cyd: not backed up (transient), and patched all the same
    install cyd again at day 1, 10:00
    install cyd
ok cyd
    verify cyd
done cyd
    cyd: succeeded
    gate of ring all: pass, 1 of 4 succeeded, 0 failed
wait 2h
pause
    day 1, 12:00
    rollout is paused, by hans
wait 1h
    day 1, 13:00
    ada dan bob: no answer in time
    backup ada dan bob again at day 1, 13:00 (transient)
resume
    rollout is active, by hans
    verify ada dan bob
missing ada idle=yes
    ada: not backed up (transient), and patched all the same
    install ada again at day 1, 13:00
    install ada
missing bob idle=no
    verify bob again at day 1, 13:05
missing dan
    verify dan again at day 1, 13:05
wait 2h
    day 1, 13:05
    verify dan bob
missing bob idle=no
    day 1, 15:00
    bob: failed (needs-user)
done
    verify ada
    dan: failed (needs-user)
    ada: succeeded
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob failed
        cyd succeeded
        dan failed
