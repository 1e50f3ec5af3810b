# What is told when the time of a cohort is up comes too late, and a device that is made anew meanwhile is not counted. While devices are
# watched their gate does not pass, whatever its timeout says.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd control=3 watched=12h timeout=4h on-timeout=fail
ring broad devices=fay,gus,hal
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
sample - boot 20 ago=1h
    6 devices: boot measured
done
    verify ada bob cyd
    ada bob cyd: succeeded
    ring canary: ada bob cyd watched beside gus hal fay, which get nothing yet, until day 1, 21:00
sample ada,cyd,fay,gus boot 20
    ada cyd fay gus: boot measured, 20 20 20 20
leave bob reimaged by=cmdb
    bob: made anew, so that what is known of it is true no more, says cmdb
    bob: open again
    install bob
wait 11h
    day 1, 13:00
    bob: no answer in time
    verify bob
    gate of ring canary: fail, 0 of 3 failed (timeout)
    rollout is halted
    day 1, 17:00
    bob: no answer in time
    verify bob again at day 1, 17:11 (transient)
    day 1, 17:11:37
    verify bob
sample hal boot 44
    day 1, 20:00
    hal: boot measured, 44
    hal: got nothing, and worse than before, boot 44 after 20, limit 26
wait 1h
sample cyd boot 99
    day 1, 21:00
    cyd: boot measured, 99
    cyd: worse than before, boot 59.5 after 20, limit 26
