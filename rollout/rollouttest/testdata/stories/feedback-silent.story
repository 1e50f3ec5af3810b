# Without a threshold what people say is written down, and nothing follows. Nobody changes their mind for ever.

ring all devices=ada soak=1h
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    install ada
done
    verify ada
    ada: succeeded
    ring all soaks until day 1, 10:00
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    ada: eva says broke
fine ada by=eva
    ada: eva says fine
broke ada by=eva
    refused: feedback of "eva": command refused: device ada: that was 16 changes of mind
wait
    day 1, 10:00
    gate of ring all: pass, 1 of 1 succeeded, 0 failed; 0 of 1 people say that it broke something
    rollout is done
broke ada by=max
    refused: feedback of "max": rollout is over
