package managertest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A Mishap is something that goes wrong on a real device. B is the bench of a package manager.
type Mishap[B any] struct {
	Name   string
	Served bool                    // the repository is one of the device's own, behind a web server
	Wrong  func(t *testing.T, b B) // makes it go wrong; nil if the package itself does
	What   rollout.Pinned          // what is installed then; none: the indices are fetched
	Fault  patch.Fault             // NoFault: it goes well all the same
	After  string                  // what the package manager says of the package in the end; "" is not looked at
}

// Faults lets every mishap happen to a device of its own, which open returns.
func Faults[B interface{ Base() *Bench }](t *testing.T, all []Mishap[B], open func(t *testing.T, served bool) B) {
	t.Helper()
	t.Logf("%d cases", len(all))
	for _, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			if m.Served && testing.Short() {
				t.Skip("it takes long with the others")
			}
			bench := open(t, m.Served)
			b := bench.Base()
			if m.Wrong != nil {
				m.Wrong(t, bench)
			}
			if m.What.ID == "" {
				err := b.Fleet.Refresh(t.Context(), Tenant, Device)
				require.Error(t, err)
				require.Equal(t, m.Fault, patch.FaultOf(err), "%v", err)
				return
			}
			r := b.Deploy(t, m.What)
			require.Equal(t, m.Fault, r.Fault, "%+v", r)
			require.Equal(t, m.Fault == patch.NoFault, r.Phase == rollout.PhaseSucceeded, "%+v", r)
			if m.After != "" {
				require.Equal(t, m.After, b.Has(t, m.What.Packages[0].Name), "%+v", r)
			}
		})
	}
}

// Edit changes a file of a repository. That nothing changes is an error.
func Edit(t *testing.T, dir, name string, change func(content []byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := change(bytes.Clone(content))
	require.NotEqual(t, content, changed)
	require.NoError(t, os.WriteFile(path, changed, 0o644))
}

// Flip changes one bit.
func Flip(content []byte) []byte { content[len(content)/2] ^= 1; return content }

// Longer adds a byte.
func Longer(content []byte) []byte { return append(content, '\n') }
