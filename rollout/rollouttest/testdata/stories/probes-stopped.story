# Nothing is begun on a device that is looked at while its rollout is paused, is cancelled, or its patch is withdrawn; one that is cancelled while it is
# looked at afterwards is looked at once.

ring all devices=ada,bob,cyd maxactive=1
policy probe=till
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    precheck ada
pause q1
    rollout is paused, by hans
ok
    ada: looked at before
    install ada again at day 1, 09:00
resume q1
    rollout is active, by hans
    precheck ada
ok
    ada: looked at before
    install ada
ok
    verify ada
ok
    probe ada
show
    active
      all: open
        ada unsettled, probe is running
        bob unsettled
        cyd unsettled
cancel q1
    rollout is ending, by hans
ok ada down=till
    ada: till not up after the installation (permanent)
    ada: failed (permanent)
    gate of ring all: fail, 1 of 3 failed
    cyd bob: cancelled
    rollout is cancelled
show
    cancelled
      all: failed
        ada failed
        bob cancelled
        cyd cancelled
