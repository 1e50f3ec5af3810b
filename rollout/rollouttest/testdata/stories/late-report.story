# A report that comes after the outcome is known is written down and changes nothing.

ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ok ada bob
    verify ada bob
ok ada
    ada: succeeded
fail ada seq=1 permanent "too late"
    ada: late report, failed
ok ada seq=2
fail ada seq=2 permanent "and later still"
    ada: late report, failed
ok bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
fail bob seq=2 permanent "after the end"
    bob: late report, failed
show
    done
      all: passed
        ada succeeded
        bob succeeded
