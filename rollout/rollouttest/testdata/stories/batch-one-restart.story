# What a device is to get in one rollout is one installation and one restart, however many patches it is: the restart comes once, after all of
# them. A batch is installed whole or not at all, so that nobody has to guess what a half of it left behind. If one of its patches fails for
# good, the others of that device are not installed either, and its report says which it was; devices that do not get that patch go on.
# Once the bad patch is taken out of the plan, the next rollout brings the rest.

patch p1 reboot=always
patch p2 reboot=always
patch p3
policy reboot=if-required attempts=3
ring all devices=ada,bob,cyd maxfailed=50%
device ada patches=p1,p2,p3
device bob patches=p1,p2,p3
device cyd patches=p1,p2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install cyd ada bob
ok ada
    reboot ada
ok ada boot=b2
    verify ada
ok ada reboot=no
    ada: succeeded
fail bob permanent "p3 needs a newer kernel"
    bob: failed (permanent)
ok cyd reboot=yes
    reboot cyd
ok cyd boot=b2
    verify cyd
ok cyd reboot=no
    cyd: succeeded
    gate of ring all: pass, 2 of 3 succeeded, 1 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob failed
        cyd succeeded

ring all devices=bob
device bob patches=p1,p2
start q2
    q2: rollout is active, by olga
    q2: ring all opens
    q2: install bob
q2: ok bob reboot=yes
    q2: reboot bob
q2: ok bob boot=b2
    q2: verify bob
q2: done
    q2: bob: succeeded
    q2: gate of ring all: pass, 1 of 1 succeeded, 0 failed
    q2: rollout is done
