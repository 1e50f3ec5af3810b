# Every device goes by its own clock: midnight comes to Tokyo first, then to Oslo, and to Denver last.

device aki zone=Asia/Tokyo
device kari zone=Europe/Oslo
device mary zone=America/Denver
ring all devices=aki,kari,mary window="daily 00:00-02:00"
start q1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
wait
    day 1, 15:00
    install aki
done
    verify aki
    aki: succeeded
wait
    day 1, 23:00
    install kari
wait
    day 2, 03:00
    kari: no answer in time
    verify kari
done
    kari: succeeded
show
    active
      all: open
        aki succeeded
        kari succeeded
        mary unsettled
