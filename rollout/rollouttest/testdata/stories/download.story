# What is installed at night is downloaded at noon: beside other work, without a place among those that are worked on, once, and
# whatever becomes of it the installation comes at its time.

policy download-window="daily 12:00-14:00 UTC" window="daily 22:00-02:00 UTC" maxactive=1
ring all devices=ada,bob,cyd,dan maxfailed=50%
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
explain ada
    downloads ahead from day 1, 12:00
    the next window opens day 1, 22:00
    next: day 1, 12:00
wait
    day 1, 12:00
    download cyd ada dan bob
explain ada
    download is running since day 1, 12:00
    next: day 1, 16:00
done ada
    ada: downloaded
fail bob disk-full
    bob: not downloaded ahead (disk-full)
sleep 1h
ok cyd
    day 1, 13:00
    cyd: downloaded
crash
    again: download dan
sleep 4h
    day 1, 17:00
    dan: no answer in time
    dan: not downloaded ahead
wait
    day 1, 22:00
    install ada
show
    active
      all: open
        ada unsettled, install is running
        bob unsettled
        cyd unsettled
        dan unsettled
done
    verify ada
    ada: succeeded
    install bob
    verify bob
    bob: succeeded
    gate of ring all: pass, 2 of 4 succeeded, 0 failed
    install cyd
    verify cyd
    cyd: succeeded
    install dan
    verify dan
    dan: succeeded
    rollout is done
