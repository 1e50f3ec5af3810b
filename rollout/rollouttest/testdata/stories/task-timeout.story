# A device that does not answer is asked what is true before anything else is tried.

ring all devices=ada,bob
policy timeout=4h attempts=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
wait
    day 1, 13:00
    ada bob: no answer in time
    verify ada bob

# On ada the installation went well after all; on bob it did not. What they say now of the old task is too late.
fail ada seq=1 permanent
    ada: late report, failed
ok bob seq=1
    bob: late report, succeeded
ok ada
    ada: succeeded
missing bob
    install bob again at day 1, 13:11 (transient)
ok ada seq=1
    ada: late report, succeeded
wait
    day 1, 13:11:13
    install bob, attempt 2
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      all: passed
        ada succeeded
        bob succeeded, 2 attempts
