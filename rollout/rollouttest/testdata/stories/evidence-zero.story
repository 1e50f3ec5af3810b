# Nothing to do on any device is no evidence: zero of zero neither fails nor passes.

ring canary devices=ada,bob maxfailed=100% tolerate=2% below=50%
ring broad devices=zoe
start q1
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install ada bob
fail ada not-applicable
    ada: not-applicable (not-applicable)
fail bob not-applicable
    bob: not-applicable (not-applicable)
    gate of ring canary: inconclusive, 0 of 0 succeeded, 0 failed; of 0 begun 0 failed, e-value 1; proof to pass 1; rate 0% to 100%
    ring canary is held: inconclusive
show
    active
      canary: held, inconclusive
        ada not-applicable
        bob not-applicable
      broad: waiting
        zoe unsettled
