# A drain that nobody hears of has failed, and the node may be half out of service: it is put back, by which the drain is given up. What is reported
# of it later changes nothing.

ring all devices=ada
policy budget="clusters: - drained" drain-timeout=15m
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada: to be taken out of service before install
    drain ada
running ada
wait 15m
    day 1, 09:15
    ada: no answer in time
    drain ada again at day 1, 09:25 (transient)
    ada: to be put back into service
    uncordon ada
ok ada seq=1
    ada: late report, succeeded
ok ada
    ada: back in service
wait 30m
    day 1, 09:25:19
    ada: to be taken out of service before install
    drain ada
    day 1, 09:40:19
    ada: no answer in time
    drain ada again at day 1, 10:02 (transient)
    ada: to be put back into service
    uncordon ada
done
    day 1, 09:45
    ada: back in service
show
    active
      all: open
        ada unsettled
