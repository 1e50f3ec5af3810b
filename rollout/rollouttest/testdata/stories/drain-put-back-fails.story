# A node that was patched and cannot be put back serves nobody: it has failed, whatever was installed there, and that is said loudly. It is tried as
# often as an installation is. It takes up its budget until somebody has seen to it, also when the rollout is over.

ring all devices=ada,bob maxfailed=50%
policy budget="clusters: - 1 drained" attempts=2
start q1 salt=1
    day 1, 09:00
    rollout is active, by olga
    ring all opens
    ada: to be taken out of service before install
    drain ada
ok ada
    install ada
ok ada
    verify ada
ok ada
    ada: to be put back into service, then succeeded
    uncordon ada
fail ada transient
    uncordon ada again at day 1, 09:11 (transient)
explain ada
    uncordon is tried again at day 1, 09:11 (transient)
    it was taken out of service, and is not known to be back
    next: day 1, 09:11:35
wait 30m
    day 1, 09:11:35
    uncordon ada
fail ada transient
    day 1, 09:30
    ada: could not be put back into service (transient), and stays out until somebody sees to it
    ada: failed (transient)
explain ada
    settled: failed (transient), installations begun: 1
    it was taken out of service, and stays out until somebody sees to it and acknowledges that
explain bob
    budget clusters: 1 of 1 disrupted at tenant acme
acknowledge ada by=olga reason="put back by hand"
    ada: acknowledged by olga: put back by hand
    bob: to be taken out of service before install
    drain bob
done
    install bob
    verify bob
    bob: to be put back into service, then succeeded
    uncordon bob
    bob: back in service
    bob: succeeded
    gate of ring all: pass, 1 of 2 succeeded, 1 failed
    rollout is done
show
    done
      all: passed
        ada failed
        bob succeeded
