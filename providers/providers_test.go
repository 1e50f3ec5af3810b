package providers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/rollout"
)

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// curl is content for the devices of newFleet.
func curl() rollout.Content {
	return rollout.Content{Patches: []rollout.Pinned{{ID: "test:curl", Packages: []patch.Package{
		{Ecosystem: "Debian:12", Name: "curl", Fixed: deb("8.0")}}}}}
}

func newFleet() *memory.Fleet {
	f := new(memory.Fleet)
	f.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{
		{Manager: "dpkg", Ecosystem: "Debian:12", Name: "curl", Version: deb("7.0")}}})
	return f
}

// only is a deployer without abilities.
type only struct{ rollout.Deployer }

func TestWrappersKeepThePromisesOfWhatTheyWrap(t *testing.T) {
	wrappers := map[string]func(d rollout.Deployer) rollout.Deployer{
		"router": func(d rollout.Deployer) rollout.Deployer {
			return providers.Router(func(rollout.Task) rollout.Deployer { return d })
		},
		"limit": func(d rollout.Deployer) rollout.Deployer { return providers.Limit(d, 1) },
		"limit of a router of a limit": func(d rollout.Deployer) rollout.Deployer {
			return providers.Limit(providers.Router(func(rollout.Task) rollout.Deployer { return providers.Limit(d, 2) }), 1)
		},
	}
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			var fleet *memory.Fleet
			providertest.Deployer(t, providertest.DeployerHarness{
				New: func(*testing.T) rollout.Deployer {
					fleet = newFleet()
					return wrap(fleet)
				},
				Rollout:  rollout.Key{Tenant: "acme", ID: "q1"},
				Device:   "ada",
				Content:  curl(),
				Installs: func(*testing.T, rollout.Deployer) int { return fleet.Installs("ada") },
				Look: func(t *testing.T, _ rollout.Deployer) inventory.Scan {
					d, found := fleet.Device("acme", "ada")
					require.True(t, found)
					return inventory.Scan{Device: d.ID, Software: d.Software, Missing: d.Missing, BootID: d.BootID}
				},
			})
		})
	}
}

func TestARouterWithoutARouteNamesTheDevice(t *testing.T) {
	task := rollout.Task{ID: "acme:q1/pilot/ada/install/1", Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Tenant: "acme", Device: "ada"}
	for name, r := range map[string]providers.Router{
		"nil route":  func(rollout.Task) rollout.Deployer { return nil },
		"nil router": nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Deploy(t.Context(), task)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, `"ada" of tenant "acme"`)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
			_, err = r.Status(t.Context(), task)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			_, ok := rollout.Ability[rollout.Verifier](r, task)
			require.False(t, ok)
		})
	}
}

func TestLimitAddsNoAbility(t *testing.T) {
	d := providers.Limit(only{newFleet()}, 1)
	var task rollout.Task
	_, verifies := rollout.Ability[rollout.Verifier](d, task)
	_, rollsBack := rollout.Ability[rollout.Rollbacker](d, task)
	_, reboots := rollout.Ability[rollout.Rebooter](d, task)
	_, cancels := rollout.Ability[rollout.Canceller](d, task)
	require.Equal(t, [4]bool{}, [4]bool{verifies, rollsBack, reboots, cancels})
}

// A gate is a deployer whose calls wait until they are let through, and which counts them.
type gate struct {
	*memory.Fleet
	entered chan struct{}
	leave   chan struct{}
}

func (g gate) call() (rollout.Report, error) {
	g.entered <- struct{}{}
	<-g.leave
	return rollout.Report{Phase: rollout.PhaseSucceeded}, nil
}

func (g gate) Deploy(context.Context, rollout.Task) (rollout.Report, error)   { return g.call() }
func (g gate) Status(context.Context, rollout.Task) (rollout.Report, error)   { return g.call() }
func (g gate) Verify(context.Context, rollout.Task) (rollout.Report, error)   { return g.call() }
func (g gate) Rollback(context.Context, rollout.Task) (rollout.Report, error) { return g.call() }
func (g gate) Reboot(context.Context, rollout.Task) (rollout.Report, error)   { return g.call() }

func TestLimitHoldsForAllCallsTogether(t *testing.T) {
	g := gate{newFleet(), make(chan struct{}), make(chan struct{})}
	d := providers.Limit(g, 2)
	task := rollout.Task{ID: "acme:q1/pilot/ada/install/1", Device: "ada"}
	calls := map[string]func(context.Context, rollout.Task) (rollout.Report, error){"Deploy": d.Deploy, "Status": d.Status}
	hidden, ok := rollout.Ability[rollout.Deployer](d, task)
	require.True(t, ok)
	calls["Deploy by way of Ability"] = hidden.Deploy
	verifier, ok := rollout.Ability[rollout.Verifier](d, task)
	require.True(t, ok)
	calls["Verify"] = verifier.Verify
	rollbacker, ok := rollout.Ability[rollout.Rollbacker](d, task)
	require.True(t, ok)
	calls["Rollback"] = rollbacker.Rollback
	rebooter, ok := rollout.Ability[rollout.Rebooter](d, task)
	require.True(t, ok)
	calls["Reboot"] = rebooter.Reboot
	canceller, ok := rollout.Ability[rollout.Canceller](d, task)
	require.True(t, ok)

	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { _, _ = d.Deploy(t.Context(), task) })
		<-g.entered
	}
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		done := make(chan error)
		go func() {
			_, err := call(ctx, task)
			done <- err
		}()
		select {
		case <-g.entered:
			t.Fatalf("%s was let in while both places were taken", name)
		case err := <-done:
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, `"ada"`, name)
		}
		cancel()
	}
	require.NoError(t, canceller.Cancel(t.Context(), task), "Cancel goes around the limit")
	close(g.leave)
	wait.Wait()
	wait.Go(func() { _, _ = verifier.Verify(t.Context(), task) })
	<-g.entered
	wait.Wait()
}

func TestLimitBelowOneIsOne(t *testing.T) {
	d := providers.Limit(newFleet(), 0)
	r, err := d.Deploy(t.Context(), rollout.Task{ID: "x", Device: "ada", Rollout: rollout.Key{Tenant: "acme"}, Tenant: "acme", Content: curl()})
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase)
}

func TestPulledBeginsNothingAndKnowsNothing(t *testing.T) {
	var p providers.Pulled
	for name, call := range map[string]func(context.Context, rollout.Task) (rollout.Report, error){
		"Deploy": p.Deploy, "Verify": p.Verify, "Rollback": p.Rollback, "Reboot": p.Reboot, "Probe": p.Probe,
	} {
		r, err := call(t.Context(), rollout.Task{ID: "x"})
		require.NoError(t, err, name)
		require.Equal(t, rollout.Report{Phase: rollout.PhaseQueued}, r, name)
	}
	r, err := p.Status(t.Context(), rollout.Task{ID: "x"})
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseUnknown, r.Phase)
	require.NoError(t, p.Cancel(t.Context(), rollout.Task{ID: "x"}))
}
