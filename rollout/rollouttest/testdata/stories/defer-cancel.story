# A pause does not lose who waits for a restart, and who cancels does not restart anybody.

policy reboot=always deferrals="2 notice 1h"
ring all devices=ada,bob
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada bob
ok
    ada bob: restart announced, to be put off until day 4, 09:00 at the latest
    ada bob: to be restarted day 1, 10:00
defer bob by=eva for=3h
    bob: eva puts the restart off until day 1, 12:00
pause
    rollout is paused, by hans
wait 2h
resume
    day 1, 11:00
    rollout is active, by hans
    reboot ada
done ada
    verify ada
    ada: succeeded
cancel
    rollout is ending, by hans
    bob: cancelled
    rollout is cancelled
show
    cancelled
      all: open
        ada succeeded
        bob cancelled
