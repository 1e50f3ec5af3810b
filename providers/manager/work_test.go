//go:build unix

package manager

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/rollout"
)

// A shelf is a package manager for one package, which does as it is told to.
type shelf struct {
	version *string
	moves   []Move
	carry   func(j Job) error
	altered string
	looks   *error // what comes of a look; nil for a look
}

func (s shelf) Look(context.Context) (*Sight, error) {
	if s.looks != nil && *s.looks != nil {
		return nil, *s.looks
	}
	p := inventory.Software{Ecosystem: "shelf", Name: "hello", Version: version.Version{Scheme: version.RPM, Text: *s.version}}
	return &Sight{Scan: inventory.Scan{Software: []inventory.Software{p}}, Packages: []State{{Name: p.Name, Ecosystem: p.Ecosystem, Version: p.Version}}}, nil
}
func (s shelf) Ready(context.Context) error { return nil }
func (s shelf) Plan(_ context.Context, j Job) ([]Move, error) {
	if s.moves != nil {
		return s.moves, nil
	}
	return []Move{{Name: "hello", To: j.Changes[0].To}}, nil
}
func (s shelf) Carry(_ context.Context, j Job) error                  { return s.carry(j) }
func (s shelf) Keep(context.Context, Change) error                    { return nil }
func (s shelf) Altered(_ context.Context, _ []Change) (string, error) { return s.altered, nil }
func (s shelf) CheckName(string) error                                { return nil }
func (s shelf) CheckArch(string) error                                { return nil }
func (s shelf) CheckVersion(v string) error {
	if v == "" {
		return patch.ErrPermanent
	}
	return nil
}

// What is on the device afterwards counts, and not what the package manager says.
func TestWhatBecomesOfAnInstallation(t *testing.T) {
	full := fmt.Errorf("full: %w", patch.ErrDiskFull)
	for _, row := range []struct {
		name    string
		becomes string // the version after the installation
		says    error
		altered string
		moves   []Move
		want    patch.Fault // NoFault: a success
		after   string
		carried int
	}{
		{"it says that it went well, and it did", "2-1", nil, "", nil, patch.NoFault, "2-1", 1},
		{"it says that it went well, and nothing was done", "1-1", nil, "", nil, patch.Transient, "1-1", 1},
		{"it fails, and all is there", "2-1", errors.New("of another package"), "", nil, patch.NoFault, "2-1", 1},
		{"it fails, and nothing was done", "1-1", full, "", nil, patch.DiskFull, "1-1", 1},
		{"it fails, and the database has what the files are not", "2-1", full, "/x was altered", nil, patch.DiskFull, "1-1", 2},
		{"a script fails", "2-1", fmt.Errorf("%w: %w", ErrUnfinished, patch.ErrPermanent), "", nil, patch.Permanent, "1-1", 2},
		{"another version is installed", "3-1", nil, "", nil, patch.Transient, "1-1", 2},
		{"it would do something else", "2-1", nil, "", []Move{{Name: "hello", To: "2-1"}, {Remove: true, Name: "rival"}}, patch.Permanent, "1-1", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			now, carried := "1-1", 0
			tool := shelf{version: &now, moves: row.moves, altered: row.altered}
			tool.carry = func(j Job) error {
				carried++
				if j.Back {
					now = j.Changes[0].To
					return nil
				}
				now = row.becomes
				return row.says
			}
			dir := t.TempDir()
			f, err := New(Config{Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (Device, error) {
				return Device{To: local.New(local.Config{}), Root: dir, User: true}, nil
			}}, Kind{Name: "shelf", Scheme: version.RPM, Words: tool, Open: func(*Access) Tool { return tool }})
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close(context.Background()) })
			c := rollout.Content{Patches: []rollout.Pinned{{ID: "p", Reversal: patch.ReversalReinstall,
				Packages: []patch.Package{{Ecosystem: "shelf", Name: "hello", Fixed: version.Version{Scheme: version.RPM, Text: "2-1"}}}}}}
			r, err := f.Deploy(t.Context(), rollout.Task{ID: "a/1", Device: "ada", Op: rollout.OpInstall, Content: c})
			require.NoError(t, err)
			require.Equal(t, row.want, r.Fault, "%+v", r)
			require.Equal(t, row.want == patch.NoFault, r.Phase == rollout.PhaseSucceeded)
			require.Equal(t, row.after, now)
			require.Equal(t, row.carried, carried)
		})
	}
}

func TestConfigs(t *testing.T) {
	_, err := New(Config{}, Kind{Name: "x", Words: shelf{}, Open: func(*Access) Tool { return nil }})
	require.ErrorContains(t, err, "x: config: Reach is nil")
	_, err = New(Config{}, Kind{})
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
}

// A process that was killed may have left its package manager at work, which changes what is looked at. Its task runs then, and has not failed: who said
// so would have it done again.
func TestATaskThatSomebodyHasLeftAtWork(t *testing.T) {
	now := "1-1"
	looks := fmt.Errorf("it was changed while it was read: %w", patch.ErrBusy)
	tool := shelf{version: &now, looks: &looks}
	dir := t.TempDir()
	d := Device{To: local.New(local.Config{}), Root: dir, User: true}
	f, err := New(Config{Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (Device, error) { return d, nil }},
		Kind{Name: "shelf", Scheme: version.RPM, Words: tool, Open: func(*Access) Tool { return tool }})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	task := rollout.Task{ID: "a/1", Device: "ada", Op: rollout.OpInstall, Content: rollout.Content{Patches: []rollout.Pinned{{ID: "p", Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "shelf", Name: "hello", Fixed: version.Version{Scheme: version.RPM, Text: "2-1"}}}}}}}
	book := desk.Device{To: d.To, Root: d.Root, User: d.User}
	_, err = book.Claim(t.Context(), desk.Begun{ID: task.ID, Op: task.Op})
	require.NoError(t, err)
	_, err = book.Asked(t.Context(), task.ID)
	require.NoError(t, err)
	for _, ask := range []func(context.Context, rollout.Task) (rollout.Report, error){f.Deploy, f.Status} {
		r, err := ask(t.Context(), task)
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseRunning, r.Phase, "%+v", r)
	}
	now, looks = "2-1", nil
	r, err := f.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase)
}
