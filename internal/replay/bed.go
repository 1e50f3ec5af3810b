package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// Device and Tenant are those of all tasks.
const (
	Device = "ada"
	Tenant = "acme"
)

// Task returns the nth task of a device.
func Task(n int, op rollout.Op, k patch.Package) rollout.Task {
	return rollout.Task{ID: rollout.TaskID(fmt.Sprintf("acme:q1/test/ada/%s/%d", op, n)), Tenant: Tenant, Device: Device, Op: op, Content: Content(k)}
}

// Content returns content that brings one package.
func Content(k patch.Package) rollout.Content {
	return rollout.Content{Patches: []rollout.Pinned{{ID: patch.ID(k.Ecosystem + ":" + k.Name + "=" + k.Fixed.Text), Packages: []patch.Package{k}}}}
}

// Refused installs k on p's device, of which f is the fleet, in the given state: that fails so and says that. It is the nth task.
func Refused(t *testing.T, p *Player, f rollout.Deployer, n int, state string, k patch.Package, want patch.Fault, says string) {
	t.Helper()
	t.Run(fmt.Sprint(state, n), func(t *testing.T) {
		p.Become(state)
		r, err := f.Deploy(t.Context(), Task(n, rollout.OpInstall, k))
		require.NoError(t, err)
		require.Equal(t, want, r.Fault, r.Message)
		require.Contains(t, r.Message, says)
	})
}

// Classes checks that the results of a file have the classes that it says, and that there are at least as many of them as there are.
func Classes(t *testing.T, file string, least int, classify func(transport.Result) error) {
	t.Helper()
	n := 0
	for _, c := range Read(t, file) {
		if !c.HasWant() {
			continue
		}
		n++
		err := classify(c.Result)
		require.Equal(t, c.Want, patch.FaultOf(err), "%s: line %d: %q gives %v", file, c.Line, c.Argv, err)
	}
	require.GreaterOrEqual(t, n, least, file)
}

// A Fleet is what package managers make.
type Fleet interface {
	rollout.Deployer
	// Close ends what is under way.
	Close(ctx context.Context) error
}

// A Kit says how a package manager is put to the test of every deployer, with a device that a file plays.
type Kit[F Fleet] struct {
	File    string
	New     func(c manager.Config) (F, error)
	Change  func(c *manager.Config, p *Player) // what else the configuration needs; may be nil
	Package patch.Package                      // what is installed
	From    string                             // its version before
	There   []string                           // the states in which it is installed
	Install []string                           // what the command of an installation begins with
	Fails   string                             // the state in which it fails
	Fault   patch.Fault                        // how
}

// Open returns a fleet of a device that file plays, which is closed with t.
func (k Kit[F]) Open(t *testing.T, p *Player) F { return k.open(t, p, 0) }

func (k Kit[F]) open(t *testing.T, p *Player, wait time.Duration) F {
	t.Helper()
	c := p.Config()
	c.Wait = wait
	if k.Change != nil {
		k.Change(&c, p)
	}
	f, err := k.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close(context.WithoutCancel(t.Context()))) })
	return f
}

// Conformance runs the test of every deployer.
func (k Kit[F]) Conformance(t *testing.T) {
	players := make(map[rollout.Deployer]*Player)
	providertest.Deployer(t, providertest.DeployerHarness{
		Rollout: rollout.Key{Tenant: Tenant, ID: "q1"}, Device: Device, Content: Content(k.Package),
		New: func(t *testing.T) rollout.Deployer {
			p := Open(t, k.File)
			f := k.open(t, p, -1)
			players[f] = p
			return f
		},
		Look: func(_ *testing.T, d rollout.Deployer) inventory.Scan {
			p := players[d]
			v := version.Version{Scheme: k.Package.Fixed.Scheme, Text: k.From}
			if slices.Contains(k.There, p.State()) {
				v = k.Package.Fixed
			}
			return inventory.Scan{BootID: p.Boot(), Software: []inventory.Software{{Manager: k.Package.Ecosystem, Ecosystem: k.Package.Ecosystem, Name: k.Package.Name, Version: v}}}
		},
		Installs: func(_ *testing.T, d rollout.Deployer) int { return players[d].Count(k.Install...) },
		Fail: func(_ *testing.T, d rollout.Deployer) patch.Fault {
			players[d].Become(k.Fails)
			return k.Fault
		},
	})
}
