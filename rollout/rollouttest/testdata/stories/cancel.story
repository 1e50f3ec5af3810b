# A cancelled rollout ends once what runs has ended: nothing is left half done, and nothing new is begun.

ring canary devices=ada,bob,cyd maxactive=2
ring broad devices=dee
policy reboot=always
start q1 salt=2
    day 1, 09:00
    rollout is active, by olga
    ring canary opens
    install bob ada
cancel reason="wrong patch"
    rollout is ending, by hans: wrong patch
    stop bob ada
cancel
    refused: cancel: command refused: the rollout is ending
pause
    refused: pause: command refused: the rollout is ending
stopped ada
    ada: cancelled
ok
    verify bob
ok
    bob: succeeded
    cyd dee: cancelled
    rollout is cancelled
show
    cancelled
      canary: open
        ada cancelled
        bob succeeded
        cyd cancelled
      broad: waiting
        dee cancelled
