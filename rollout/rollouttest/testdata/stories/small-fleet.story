# A hundredth of three devices is one device: the fleet has its canary all the same, and the rest waits for it.

ring canary share=1% soak=1h
ring broad rest
devices 3
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install d2
done
    verify d2
    d2: succeeded
    ring canary soaks until day 1, 10:00
wait
    day 1, 10:00
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install d1 d3
done
    verify d1 d3
    d1 d3: succeeded
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is done
show
    done
      canary: passed
        d2 succeeded
      broad: passed
        d1 succeeded
        d3 succeeded
