# A device that would come into another ring by what it is now stays where it is, and says so. Whoever does not want it there skips it.

ring canary devices=ada,bob
ring broad rest
device eve
device fay
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
leave eve relabelled ring=canary by=cmdb reason="moved to the lab"
    eve: would come into ring canary now, and stays where it is, says cmdb: moved to the lab
leave ada relabelled ring=broad
    ada: would come into ring broad now, and stays where it is
leave fay relabelled
    fay: would come into none of the rings now, and stays where it is
leave eve relabelled ring=canary
explain eve
    ring broad is not open: it waits for ring canary, 0 of 2 succeeded (0% < 100%), 0 failed, 2 devices missing
    it would come into ring canary now, and stays in ring broad: a plan does not change with its devices
explain ada
    install is running since day 1, 09:00
    it would come into ring broad now, and stays in ring canary: a plan does not change with its devices
    next: day 1, 13:00
skip fay
    fay: skipped
done
    verify ada bob
    ada bob: succeeded
    gate of ring canary: pass, 2 of 2 succeeded, 0 failed
    ring broad opens
    install eve
    verify eve
    eve: succeeded
    gate of ring broad: pass, 1 of 1 succeeded, 0 failed
    rollout is done
