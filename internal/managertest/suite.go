package managertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/rollout"
)

// A Suite says how the test of every deployer is run on devices of a bed, whose package hello writes down that its installation begins, fails if
// there is a file fail, and alters itself if there is a file break.
type Suite[B interface{ Base() *Bench }] struct {
	Hello func(to string) rollout.Pinned
	First string // a version of hello, newer than that of devices
	Next  string // a newer one
	Open  func(t *testing.T, change func(*manager.Config)) B
	Scan  func(t *testing.T, b B) inventory.Scan // by another way than the fleet
	Lock  func(t *testing.T, b B) (release func())
	Fail  func(t *testing.T, b B) // makes installations fail for good; nil for the file fail
}

// Conformance runs the test.
func (s Suite[B]) Conformance(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	benches := make(map[rollout.Deployer]B)
	release := make(map[rollout.Deployer]func())
	of := func(d rollout.Deployer) *Bench { return benches[d].Base() }
	providertest.Deployer(t, providertest.DeployerHarness{
		Rollout: rollout.Key{Tenant: Tenant, ID: "conformance"}, Device: Device,
		Content: Content(s.Hello(s.Next)), Stack: Content(s.Hello(s.First), s.Hello(s.Next)),
		New: func(t *testing.T) rollout.Deployer {
			b := s.Open(t, func(c *manager.Config) { c.Wait, c.Lock = -1, time.Minute })
			benches[b.Base().Fleet] = b
			return b.Base().Fleet
		},
		Settle: func(t *testing.T, d rollout.Deployer) {
			if f := release[d]; f != nil {
				f()
			}
			require.NoError(t, of(d).Fleet.Drain(t.Context()))
		},
		Look: func(t *testing.T, d rollout.Deployer) inventory.Scan {
			scan := s.Scan(t, benches[d])
			require.NotEmpty(t, scan.Software)
			return scan
		},
		Installs: func(t *testing.T, d rollout.Deployer) int { return of(d).Installs(t) },
		Fail: func(t *testing.T, d rollout.Deployer) patch.Fault {
			if s.Fail != nil {
				s.Fail(t, benches[d])
			} else {
				of(d).Write(t, "fail", "")
			}
			return patch.Permanent
		},
		Break: func(t *testing.T, d rollout.Deployer) { of(d).Write(t, "break", "") },
		Cut: func(t *testing.T, d rollout.Deployer) func() {
			b := of(d)
			require.NoError(t, b.Fleet.Drain(t.Context()))
			b.Via = Cut
			return func() { b.Via = nil }
		},
		Hold: func(t *testing.T, d rollout.Deployer) { release[d] = s.Lock(t, benches[d]) },
	})
}
