# People who say that a patch broke something make the gate fail, in the soak too. One person counts once for each device, by the last
# word; who was helped meanwhile takes the complaint back.

policy feedback="2"
ring canary devices=ada,bob,cyd soak=24h
ring broad devices=dee
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install cyd ada bob
broke dee by=eva text="nothing was done there"
    refused: feedback of "eva": command refused: nothing was installed on device dee
done
    verify ada bob cyd
    ada bob cyd: succeeded
    ring canary soaks until day 2, 09:00
broke ada by=eva text="no sound"
    ada: eva says broke: no sound
broke ada by=" EVA "
fine ada by=eva text="was a cable"
    ada: eva says fine: was a cable
broke bob by=eva
    bob: eva says broke
fine cyd by=max
    cyd: max says fine
wait 3h
broke bob by=max text="no sound here either"
    day 1, 12:00
    bob: max says broke: no sound here either
    gate of ring canary: fail, 0 of 3 failed (feedback); 2 of 4 people say that it broke something
    rollout is halted
show
    halted
      canary: failed
        ada succeeded
        bob succeeded
        cyd succeeded
      broad: waiting
        dee unsettled
explain dee
    the rollout is halted
    ring broad is not open: it waits for ring canary, 3 of 3 succeeded, 0 failed
