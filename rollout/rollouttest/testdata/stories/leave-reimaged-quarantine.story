# What was taken back goes to nobody of the tenant, nor to a device that is made anew.

ring canary devices=ada
ring broad devices=bob,cyd
policy maxactive=2
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada
done ada
    verify ada
    ada: succeeded
    gate of ring canary: pass, 1 of 1 succeeded, 0 failed
    ring broad opens
    install cyd bob
done bob
    verify bob
    bob: succeeded
undo-ring canary reason="breaks printers"
    roll back ada, by hans: breaks printers
    quarantine p1: breaks printers
    rollout is undoing, by hans: breaks printers
    stop cyd
    rollback ada
done
    verify ada, gone
    verify cyd
    ada: rolled-back
    cyd: succeeded
    gate of ring canary: fail, 1 of 1 failed
    gate of ring broad: pass, 2 of 2 succeeded, 0 failed
    rollout is halted
leave bob reimaged
    bob: made anew, so that what is known of it is true no more
    bob: open again
    bob: gone
show
    halted
      canary: failed
        ada rolled-back
      broad: passed
        bob gone
        cyd succeeded
