# A server that all devices talk to is slow. That hits those that got the patch and those that did not alike, and is not blamed on the patch.

policy metric="boot up 30%"
ring canary devices=ada,bob,cyd,dan,eva control=5 watched=12h maxfailed=100% minsuccess=0%
ring broad devices=fay,gus,hal,ida,jan
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install eva cyd ada dan bob
sample - boot 20 ago=1h
    10 devices: boot measured
done
    verify ada bob cyd dan eva
    ada bob cyd dan eva: succeeded
    ring canary: ada bob cyd dan eva watched beside jan gus hal fay ida, which get nothing yet, until day 1, 21:00
wait 2h
sample - boot 90
    day 1, 11:00
    10 devices: boot measured
    eva: worse than before, boot 90 after 20, limit 26
    cyd: worse than before, boot 90 after 20, limit 26
    ada: worse than before, boot 90 after 20, limit 26
    dan: worse than before, boot 90 after 20, limit 26
    bob: worse than before, boot 90 after 20, limit 26
    jan: got nothing, and worse than before, boot 90 after 20, limit 26
    gus: got nothing, and worse than before, boot 90 after 20, limit 26
    hal: got nothing, and worse than before, boot 90 after 20, limit 26
    fay: got nothing, and worse than before, boot 90 after 20, limit 26
    ida: got nothing, and worse than before, boot 90 after 20, limit 26
wait 10h
    day 1, 21:00
    ring canary: 5 of 5 worse beside 5 of 5 that got nothing
    gate of ring canary: pass, 0 of 5 succeeded, 5 failed; 5 of 5 worse beside 5 of 5 that got nothing, e-value 1
    ring broad opens
    install jan gus hal fay ida
