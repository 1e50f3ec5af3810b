# What is paused, cancelled, withdrawn or skipped meanwhile restarts nothing more. A device that is made anew begins anew, with a look.

policy reboot=if-required reboot-before=if-pending reboot-window="daily 20:00-22:00" backoff=10m
ring all devices=ada,bob,cyd,dan,eve maxfailed=100%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    look eve cyd ada dan bob
missing ada reboot=yes
    ada: waits for a restart, which comes first
    ada: to be restarted day 1, 20:00
missing bob reboot=yes
    bob: waits for a restart, which comes first
    bob: to be restarted day 1, 20:00
missing cyd reboot=yes
    cyd: waits for a restart, which comes first
    cyd: to be restarted day 1, 20:00
skip ada reason="its owner travels"
    ada: skipped
pause
    rollout is paused, by hans
missing dan reboot=yes
    look dan again at day 1, 09:00
explain dan
    the rollout is paused
resume
    rollout is active, by hans
    look dan
missing dan reboot=no
    dan: waits for no restart
    install dan
leave eve reimaged
    eve: made anew, so that what is known of it is true no more; eve was being worked on
    eve: open again
    look eve
missing eve reboot=no
    eve: waits for no restart
    install eve
until day 1 20:00
    day 1, 13:00
    dan eve: no answer in time
    verify dan eve
    day 1, 17:00
    dan eve: no answer in time
    verify dan eve again at day 1, 17:11 (transient)
    day 1, 17:11:10
    verify dan
    day 1, 17:11:40
    verify eve
    day 1, 20:00
    reboot cyd bob
explain bob
    reboot is running since day 1, 20:00
    next: day 1, 20:30
fail bob transient
    reboot bob again at day 1, 20:11 (transient)
ok cyd boot=b2
    look cyd
missing cyd reboot=no
    cyd: waits for no restart
    install cyd again at day 1, 20:00
    look cyd
cancel
    rollout is ending, by hans
    stop cyd
show
    ending
      all: open, 2 silent
        ada skipped
        bob unsettled, waits to reboot, owes a restart
        cyd unsettled, look is running
        dan unsettled, verify is running
        eve unsettled, verify is running
