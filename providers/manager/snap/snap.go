// Package snap patches devices that have snapd.
//
// A package is a snap, of the ecosystem "snap", and its version is the number of its revision, of scheme "loose": a revision is
// what snapd installs exactly, while the text that publishers call version stands on several. "snap info NAME" shows both.
//
// snapd has no dry run. A refresh names one snap and one revision, so that it changes nothing else; what it would do is taken from the
// channels of the store, and a revision that stands in none of them is refused. snapd keeps the revision that was replaced, and
// Rollback reverts to it. It fetches a snap only when it installs it, so that nothing is downloaded ahead, and tells no SHA-256, so that
// content with one is refused. A restart is known to be due where a change waits for it, and else not known.
//
// The commands and the readers of their output were tested against transcripts written after snapd's source and documentation, and
// not with a real snapd.
package snap

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/transport"
)

// What snapd is called in an inventory, and its ecosystem.
const (
	Manager   = "snap"
	Ecosystem = "snap"
)

// New returns the fleet of c, whose devices have snapd. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run snap and sh.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: "snap", Scheme: version.Loose, Words: grammar.Snap(),
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Keeper = (*machine)(nil)
	_ manager.Holder = (*machine)(nil)
)

// run runs snap and classifies how it has ended.
func (m *machine) run(ctx context.Context, args ...string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"snap"}, args...), MaxStdout: 8 << 20})
	if err == nil {
		err = Classify(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("the output of snap %s is too long: %w", args[0], patch.ErrPermanent)
	}
	return res, err
}

// A row is a line of "snap list".
type row struct {
	name, revision string
	notes          []string
}

func (r *row) has(note string) bool { return slices.Contains(r.notes, note) }

// readList reads "snap list --all". Columns are found by their headings, of which older versions have others in between.
func readList(text []byte) ([]row, error) {
	var rows []row
	var head []string
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) == 0 {
			continue
		}
		if head == nil {
			if head = words; head[0] != "Name" || !slices.Contains(head, "Rev") || !slices.Contains(head, "Notes") {
				return nil, fmt.Errorf("snap: list: the headings %.100q are not understood: %w", line, patch.ErrCorrupt)
			}
			continue
		}
		if len(words) != len(head) {
			return nil, fmt.Errorf("snap: list: the line %.100q is not understood: %w", line, patch.ErrCorrupt)
		}
		r := row{name: words[0], revision: words[slices.Index(head, "Rev")]}
		if notes := words[slices.Index(head, "Notes")]; notes != "-" {
			r.notes = strings.Split(notes, ",")
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (m *machine) list(ctx context.Context) ([]row, error) {
	res, err := m.run(ctx, "list", "--all", "--color=never", "--unicode=never")
	if err != nil {
		return nil, fmt.Errorf("snap: list: %w", err)
	}
	return readList(res.Stdout)
}

// Look implements [manager.Tool]. What is disabled is an old revision, and no software. A snap that was installed from a file has
// no revision of the store: the list is partial then.
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	at := m.Now().UTC()
	boot, err := m.Boot(ctx)
	if err != nil {
		return nil, fmt.Errorf("snap: look: %w", err)
	}
	rows, err := m.list(ctx)
	if err != nil {
		return nil, err
	}
	s := &manager.Sight{Scan: inventory.Scan{At: at, BootID: boot, Software: []inventory.Software{}}}
	var wrong *multierror.Error
	for i := range rows {
		r := &rows[i]
		switch {
		case r.has("disabled"):
			continue
		case r.has("broken"):
			wrong = multierror.Append(wrong, fmt.Errorf("snap: %s is broken", r.name))
			continue
		case grammar.Snap().CheckVersion(r.revision) != nil:
			wrong = multierror.Append(wrong, fmt.Errorf("snap: %s has the revision %.40q, which is none of the store: %w", r.name, r.revision, patch.ErrRecord))
			continue
		}
		v := version.Version{Scheme: version.Loose, Text: r.revision}
		s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: Ecosystem, Name: r.name, Version: v, Held: r.has("held")})
		s.Packages = append(s.Packages, manager.State{Name: r.name, Ecosystem: Ecosystem, Version: v, Held: r.has("held")})
	}
	s.Cover(Manager, wrong)
	states, err := m.changes(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(states, "Wait") {
		s.Scan.PendingReboot = patch.Yes
	}
	return s, nil
}

// changes returns how the changes stand that snapd remembers.
func (m *machine) changes(ctx context.Context) ([]string, error) {
	res, err := m.Run(ctx, transport.Command{Argv: []string{"snap", "changes", "--abs-time"}})
	if err == nil && res.Ended && bytes.Contains(res.Stderr, []byte("no changes found")) {
		return nil, nil
	}
	if err == nil {
		err = Classify(res)
	}
	if err != nil {
		return nil, fmt.Errorf("snap: changes: %w", err)
	}
	var states []string
	for line := range bytes.Lines(res.Stdout) {
		if words := strings.Fields(string(line)); len(words) > 1 && strings.Trim(words[0], "0123456789") == "" {
			states = append(states, words[1])
		}
	}
	return states, nil
}

// Ready implements [manager.Tool]. A change that waits for a restart keeps snapd from others.
func (m *machine) Ready(ctx context.Context) error {
	return m.Wait(ctx, func() error {
		states, err := m.changes(ctx)
		for _, state := range states {
			switch state {
			case "Done", "Undone", "Error", "Hold":
			default:
				return fmt.Errorf("snap: a change is in the state %s: %w", state, patch.ErrBusy)
			}
		}
		return err
	})
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	var moves []manager.Move
	for _, c := range j.Changes {
		if !j.Back {
			if err := m.offered(ctx, c.Name, c.To); err != nil {
				return nil, err
			}
		} else if err := m.stored(ctx, c.Name, c.To); err != nil {
			return nil, err
		}
		moves = append(moves, manager.Move{Name: c.Name, From: c.From, To: c.To})
	}
	return moves, nil
}

// offered returns nil if a channel of the store has the revision: "latest/stable: 2.12 2026-05-04 (42) 98kB -".
func (m *machine) offered(ctx context.Context, name, revision string) error {
	res, err := m.run(ctx, "info", "--color=never", "--unicode=never", name)
	if err != nil {
		return err
	}
	_, channels, found := bytes.Cut(res.Stdout, []byte("\nchannels:"))
	if !found {
		return fmt.Errorf("%s: the store does not tell its channels", name)
	}
	for line := range bytes.Lines(channels) {
		if slices.Contains(strings.Fields(string(line)), "("+revision+")") {
			return nil
		}
	}
	return fmt.Errorf("%s: no channel has the revision %s: %w: %w", name, revision, manager.ErrNotOffered, patch.ErrPermanent)
}

// stored returns nil if the device has the revision.
func (m *machine) stored(ctx context.Context, name, revision string) error {
	rows, err := m.list(ctx)
	if err == nil && !slices.ContainsFunc(rows, func(r row) bool { return r.name == name && r.revision == revision && !r.has("broken") }) {
		err = fmt.Errorf("%s: the device does not have the revision %s any more: %w", name, revision, patch.ErrPermanent)
	}
	return err
}

// Carry implements [manager.Tool].
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	verb := "refresh"
	if j.Back {
		verb = "revert"
	}
	for _, c := range j.Changes {
		if _, err := m.run(ctx, verb, "--revision="+c.To, c.Name); err != nil {
			return err
		}
	}
	return nil
}

// Keep implements [manager.Keeper]: snapd keeps a revision that it replaces.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	return m.stored(ctx, c.Name, c.From)
}

// Hold implements [manager.Holder].
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	how := "--hold"
	if !held {
		how = "--unhold"
	}
	_, err := m.run(ctx, append([]string{"refresh", how}, names...)...)
	return err
}

// retryable is the exit code of snap for what another change stands in the way of (snapd, cmd/snap: exitCodeFromError).
const retryable = 10

// words are in the order of their weight.
func words() []signs.Sign {
	return []signs.Sign{
		{Words: "change in progress", Class: patch.ErrBusy},
		{Words: "has running apps", Class: patch.ErrBusy},
		{Words: "too early for operation", Class: patch.ErrBusy},
		{Words: "no space left on device", Class: patch.ErrDiskFull},
		{Words: "insufficient space", Class: patch.ErrDiskFull},
		{Words: "sha3-384 mismatch", Class: patch.ErrUntrusted},
		{Words: "cannot verify snap", Class: patch.ErrUntrusted},
		{Words: "assertion is not valid", Class: patch.ErrUntrusted},
		{Words: "signatures with unmet prerequisite", Class: patch.ErrUntrusted},
		{Words: "requires classic", Class: patch.ErrNeedsUser},
		{Words: "classic confinement", Class: patch.ErrNeedsUser},
		{Words: "no updates available", Class: patch.ErrAlreadyInstalled},
		{Words: "is not installed", Class: patch.ErrNotApplicable},
		{Words: "no snap revision available as specified", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "no snap found for", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "\" not found", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "access denied", Class: patch.ErrPermanent},
		{Words: "run hook", Class: patch.ErrPermanent},
		{Words: "cannot communicate with server"},
		{Words: "unable to contact snap store"},
		{Words: "persistent network error"},
	}
}

// Classify returns an error for snap that has not ended with 0. The exit code 10 is that of a change that is in the way, 64 and above are
// those of a snap that does not know the command; any other is classified by what snap says.
func Classify(r transport.Result) error {
	switch {
	case r.OK():
		return nil
	case r.Ended && r.Code == retryable:
		return fmt.Errorf("%s: %.300s: %w", r, bytes.TrimSpace(r.Stderr), patch.ErrBusy)
	case r.Ended && r.Code == 64:
		return fmt.Errorf("%s: %.300s: %w", r, bytes.TrimSpace(r.Stderr), patch.ErrPermanent)
	}
	return signs.Classify(r, words(), r.Stderr)
}
