package fake

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/providertest"
	search "github.com/patchflow/patchflow/providers/source/wua"
	"github.com/patchflow/patchflow/rollout"
)

// Device and Tenant are those of all tasks.
const (
	Device = "ada"
	Tenant = "acme"
)

// Content is content that brings updates.
func Content(ids ...patch.ID) rollout.Content {
	var c rollout.Content
	for _, id := range ids {
		c.Patches = append(c.Patches, rollout.Pinned{ID: id})
	}
	return c
}

// Open returns the device of c, whose folder is one of t's if it has none, and closes it with t.
func Open(t *testing.T, c wua.Config) *wua.Device {
	t.Helper()
	c.Tenant, c.Device, c.Poll = Tenant, Device, time.Millisecond
	if c.Folder == "" {
		c.Folder = t.TempDir()
	}
	d, err := wua.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := d.Close(ctx); err != nil {
			t.Errorf("the folder of the device may still be written: %v", err)
		}
	})
	return d
}

// Conformance runs the test of every deployer with updates that machines miss, which are reached by agent.
func Conformance(t *testing.T, ids []patch.ID, machine func() *Machine, agent func(*testing.T, *Machine) wua.Agent) {
	machines := make(map[rollout.Deployer]*Machine)
	providertest.Deployer(t, providertest.DeployerHarness{
		Rollout: rollout.Key{Tenant: Tenant, ID: "q1"}, Device: Device, Content: Content(ids...),
		New: func(t *testing.T) rollout.Deployer {
			m := machine()
			d := Open(t, wua.Config{Agent: agent(t, m), Wait: -1})
			machines[d] = m
			return d
		},
		Look: func(_ *testing.T, d rollout.Deployer) inventory.Scan { return machines[d].look() },
		Installs: func(_ *testing.T, d rollout.Deployer) (n int) {
			machines[d].Do(func(m *Machine) { n = m.Installs })
			return n
		},
		Fail: func(_ *testing.T, d rollout.Deployer) patch.Fault {
			machines[d].Do(func(m *Machine) {
				for _, u := range m.Updates {
					u.InstallFails = 0x80073712
				}
			})
			return patch.Corrupt
		},
		Cut: func(_ *testing.T, d rollout.Deployer) func() {
			machines[d].Do(func(m *Machine) { m.Cut = true })
			return func() { machines[d].Do(func(m *Machine) { m.Cut = false }) }
		},
	})
}

// look returns what is really there.
func (m *Machine) look() (s inventory.Scan) {
	m.Do(func(m *Machine) {
		s.BootID = fmt.Sprint(m.Boot)
		for _, u := range m.Updates {
			if u.Installed {
				s.Software = append(s.Software, inventory.Software{Manager: search.Manager, Name: u.ID, Version: version.Version{Scheme: version.SemVer, Text: "1"}})
			}
		}
		for _, u := range m.Found("IsInstalled=0") {
			s.Missing = append(s.Missing, patch.ID("wua:"+u.ID))
		}
	})
	return s
}
