# Probes are looked at before anything is installed, and again after the installation, and the restart, were verified. What was down before does not count
# against the patch. A service takes its time to start: it is looked at again until it is up, or its time is over.

ring all devices=ada,bob,cyd,dan maxfailed=100%
policy probe=till probe=web reboot=if-required
patch p1 reboot=always
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    precheck ada dan cyd bob
ok ada bob
    ada bob: looked at before
    install ada bob
ok cyd dan down=web
    cyd dan: looked at before, web not up
    install cyd dan
ok
    reboot ada bob cyd dan
ok boot=b2
    verify ada bob cyd dan
ok
    probe ada bob cyd dan
ok dan cyd down=web
    dan cyd: up
    dan cyd: succeeded
    gate of ring all: pass, 2 of 4 succeeded, 0 failed
ok ada down=web
    probe ada again at day 1, 09:01
ok bob down=till,web
    probe bob again at day 1, 09:01
explain ada
    probe is tried again at day 1, 09:01
    not up yet: web; that is waited for until day 1, 09:15
    next: day 1, 09:01
crash
until day 1 09:01
    day 1, 09:01
    probe ada bob
ok ada
    ada: up
    ada: succeeded
ok bob down=web
    probe bob again at day 1, 09:02
until day 1 09:15
    day 1, 09:02
    probe bob
ok bob down=web
    day 1, 09:15
    bob: web not up after the installation (permanent)
    bob: failed (permanent)
    rollout is done
explain bob
    settled: failed (permanent), installations begun: 1
    not up, and was not known to be down before: web
show
    done
      all: passed
        ada succeeded
        bob failed
        cyd succeeded
        dan succeeded
