# Who resumes a rollout outside its windows begins nothing there: what the pause held back waits for the next window.

ring all devices=ada,bob maxactive=1 window="daily 22:00-02:00"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 22:00
    install ada
pause
    rollout is paused, by hans
done
    verify ada
    ada: succeeded
until day 2 09:00
resume
    day 2, 09:00
    rollout is active, by hans
explain bob
    the next window opens day 2, 22:00
    next: day 2, 22:00
wait
    day 2, 22:00
    install bob
done
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 2 succeeded, 0 failed
    rollout is done
