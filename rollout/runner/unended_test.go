package runner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// deaf is a fleet that stops nothing.
type deaf struct{ *memory.Fleet }

func (deaf) Cancel(context.Context, rollout.Task) error { return nil }

func TestARollbackWaitsForAnInstallationThatHadNoAnswerInTime(t *testing.T) {
	for name, deafened := range map[string]bool{"that can be stopped": false, "that cannot be stopped": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 1)
				f.Behave = func(_ inventory.DeviceID, t rollout.Task) memory.Behaviour {
					if t.Op == rollout.OpInstall {
						if deafened {
							return memory.Behaviour{Latency: 9 * time.Hour}
						}
						return memory.Behaviour{Wait: 9 * time.Hour} // it lies on the device, and may be taken away
					}
					return memory.Behaviour{}
				}
				j := new(memjournal.Journal)
				cfg := config(f, j)
				if deafened {
					cfg.Deployer = deaf{f}
				}
				p := approves(policy.Ring{Name: "all", Rest: true})
				p.Rollback.On = policy.FailRollsBackAll
				p.Retry = policy.Retry{Attempts: 1, Timeout: policy.Duration(4 * time.Hour)}
				r := start(t, cfg)
				begin(t, r, key("q1"), p)
				require.Equal(t, map[rollout.Outcome]int{rollout.RolledBack: 1}, outcomes(ends(t, r, key("q1"))))
				_, batches := history(t, j, key("q1"))
				issued, at := events[rollout.Issued](batches)
				var took time.Duration
				for i := range issued {
					if issued[i].Op == rollout.OpRollback {
						took = at[i].Sub(at[0])
					}
				}
				if deafened {
					require.GreaterOrEqual(t, took, 9*time.Hour)
				} else {
					require.Less(t, took, 9*time.Hour)
				}
				answered, _ := events[rollout.Answered](batches)
				var idle []patch.Tri
				for _, a := range answered {
					for _, rep := range a.Reports {
						if rep.Idle != patch.Unknown {
							idle = append(idle, rep.Idle)
						}
					}
				}
				require.Equal(t, patch.Yes, idle[len(idle)-1])
			})
		})
	}
}
