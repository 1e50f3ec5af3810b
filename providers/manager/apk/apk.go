// Package apk patches devices that have apk: Alpine and systems made of it.
//
// A version is wished for exactly, "lamp=1.7.1-r0", which apk notes in its list of wishes, etc/apk/world; afterwards the wish stands there as it
// stood before. A package whose wish names a version is held. An old version is kept where the device has apk's cache, or where this package
// has fetched it before: Alpine's repositories only have the newest, and rollback is possible with a kept file alone. A restart is due when
// the kernel that runs is not the one that is installed.
//
// The commands and the readers of their output were tested against transcripts written after the source and the manual of apk-tools
// 2.14, with the database of a device in a folder, and not with a real apk.
package apk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/transport"
)

// Manager is what [inventory.Software] and [inventory.Coverage] call the package manager.
const Manager = "apk"

// New returns the fleet of c, whose devices have apk. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run apk and sh, with flock and sha256sum.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: "apk", Scheme: version.APK, Suffix: ".apk", Words: grammar.APK(), Restart: []string{"reboot"},
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Fetcher  = (*machine)(nil)
	_ manager.Keeper   = (*machine)(nil)
	_ manager.Repairer = (*machine)(nil)
	_ manager.Holder   = (*machine)(nil)
)

// run runs apk and classifies how it has ended.
func (m *machine) run(ctx context.Context, verb string, args ...string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"apk", "--no-interactive", "--no-progress", verb}, args...), MaxStdout: 8 << 20})
	if err == nil {
		err = Classify(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("the output of apk %s is too long: %w", verb, patch.ErrPermanent)
	}
	return res, err
}

// readMoves reads what "apk add --simulate" would do: "(1/2) Upgrading lamp (1.6-r0 -> 1.7.1-r0)". A line that is counted and not understood
// is an error: nothing is done by half a plan.
func readMoves(stdout []byte) ([]manager.Move, error) {
	var moves []manager.Move
	for line := range bytes.Lines(stdout) {
		words := strings.Fields(string(line))
		if len(words) == 0 || !strings.HasPrefix(words[0], "(") || !strings.Contains(words[0], "/") {
			continue
		}
		wrong := fmt.Errorf("apk: plan: %.200q is not understood: %w", bytes.TrimSpace(line), patch.ErrPermanent)
		if len(words) < 4 || grammar.APK().CheckName(words[2]) != nil {
			return nil, wrong
		}
		m := manager.Move{Name: words[2]}
		versions := strings.Fields(strings.Trim(strings.Join(words[3:], " "), "()"))
		switch {
		case words[1] == "Purging" && len(versions) == 1:
			m.Remove, m.From = true, versions[0]
		case words[1] == "Installing" && len(versions) == 1, words[1] == "Reinstalling" && len(versions) == 1:
			m.To = versions[0]
		case slices.Contains([]string{"Upgrading", "Downgrading", "Replacing"}, words[1]) && len(versions) == 3 && versions[1] == "->":
			m.From, m.To = versions[0], versions[2]
		default:
			return nil, wrong
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// wish returns what apk add is told for j.
func (m *machine) wish(j manager.Job) (args []string) {
	for _, c := range j.Changes {
		if j.Back {
			args = append(args, m.Kept(c.Name, c.To, c.Arch))
		} else {
			args = append(args, c.Name+"="+c.To)
		}
	}
	return args
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	res, err := m.run(ctx, "add", append([]string{"--simulate"}, m.wish(j)...)...)
	if err != nil {
		return nil, err
	}
	return readMoves(res.Stdout)
}

// Carry implements [manager.Tool].
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	if err := m.remember(ctx, j.Changes); err != nil {
		return err
	}
	_, err := m.run(ctx, "add", m.wish(j)...)
	if restored := m.restore(context.WithoutCancel(ctx)); err == nil {
		err = restored
	}
	return err
}

// Refresh implements [manager.Fetcher].
func (m *machine) Refresh(ctx context.Context) error {
	_, err := m.run(ctx, "update")
	return err
}

// Download implements [manager.Fetcher].
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	for _, c := range changes {
		if err := m.fetch(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings the file of the new version to where packages are kept. apk fetches the newest, whatever is asked for: a file of another name is none.
func (m *machine) fetch(ctx context.Context, c manager.Change) error {
	to := manager.Change{Name: c.Name, Arch: c.Arch, From: c.To}
	if kept, err := m.Access.Keep(ctx, to); err != nil || kept {
		return err
	}
	if _, err := m.run(ctx, "fetch", "--output", m.Folder(), c.Name); err != nil {
		return err
	}
	file := m.Folder() + "/" + c.Name + "-" + c.To + ".apk"
	kept, err := m.Access.Keep(ctx, to, file)
	_, _ = m.Script(ctx, `rm -f "$1"`, nil, file)
	if err == nil && !kept {
		err = fmt.Errorf("apk fetched no %s-%s.apk: %w: %w", c.Name, c.To, manager.ErrNotOffered, patch.ErrPermanent)
	}
	return err
}

// Sum implements [manager.Fetcher] by the file itself.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	if err := m.fetch(ctx, c); err != nil {
		return "", err
	}
	res, err := m.Script(ctx, `sha256sum "$1"`, nil, m.Kept(c.Name, c.To, c.Arch))
	if err == nil {
		err = desk.Failed(res)
	}
	sum, _, _ := strings.Cut(string(res.Stdout), " ")
	return sum, err
}

const cachedScript = `for f in "$1/etc/apk/cache/$2-$3".*.apk "$1/var/cache/apk/$2-$3".*.apk; do
  if [ -s "$f" ]; then printf '%s\n' "$f"; fi
done`

// Keep implements [manager.Keeper]: from apk's cache.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	res, err := m.Script(ctx, cachedScript, nil, m.Root(), c.Name, c.From)
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return err
	}
	kept, err := m.Access.Keep(ctx, c, strings.Fields(string(res.Stdout))...)
	if err == nil && !kept {
		err = fmt.Errorf("apk's cache has it not: %w", patch.ErrPermanent)
	}
	return err
}

const lockedScript = `for f in "$1/lib/apk/db/lock" "$1/usr/lib/apk/db/lock"; do
  if [ -e "$f" ]; then flock -n "$f" true || { echo "$f is locked"; exit 0; }; fi
done
echo free`

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error {
	err := m.Wait(ctx, func() error {
		res, err := m.Script(ctx, lockedScript, nil, m.Root())
		if err == nil {
			err = desk.Failed(res)
		}
		if said := strings.TrimSpace(string(res.Stdout)); err == nil && said != "free" {
			err = fmt.Errorf("%s: %w", said, patch.ErrBusy)
		}
		if err != nil {
			return fmt.Errorf("apk: lock: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	files, err := m.Files(ctx, remembered)
	if err == nil && len(files[remembered]) > 0 {
		err = fmt.Errorf("apk: an installation was interrupted: %w", patch.ErrCorrupt)
	}
	return err
}

// Repair implements [manager.Repairer]: wishes are as they were, and what is not whole is installed again.
func (m *machine) Repair(ctx context.Context) error {
	if err := m.restore(ctx); err != nil {
		return err
	}
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	var names []string
	for i := range s.Packages {
		if p := &s.Packages[i]; p.Damaged && grammar.APK().CheckName(p.Name) == nil {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if _, err = m.run(ctx, "fix", names...); patch.FaultOf(err) == patch.Unreachable || patch.FaultOf(err) == patch.DiskFull {
		return err
	}
	return nil
}

// Hold implements [manager.Holder]. A package that was there for others alone stays among the wishes when it is released.
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	var args []string
	for _, name := range names {
		for i := range s.Packages {
			if p := &s.Packages[i]; p.Name == name && held {
				args = append(args, name+"="+p.Version.Text)
			} else if p.Name == name {
				args = append(args, name)
			}
		}
	}
	_, err = m.run(ctx, "add", args...)
	return err
}

// Look implements [manager.Tool].
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	s := &manager.Sight{Scan: inventory.Scan{At: m.Now().UTC()}}
	files, err := m.Files(ctx, "proc/sys/kernel/random/boot_id", "lib/apk/db/installed", "usr/lib/apk/db/installed", "etc/alpine-release", "proc/sys/kernel/osrelease", world)
	if err != nil {
		return nil, fmt.Errorf("apk: look: %w", err)
	}
	s.Scan.BootID = strings.TrimSpace(string(files["proc/sys/kernel/random/boot_id"]))
	database := files["lib/apk/db/installed"]
	if len(database) == 0 {
		database = files["usr/lib/apk/db/installed"]
	}
	cover := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: s.Scan.At}
	ecosystem := ecosystemOf(string(files["etc/alpine-release"]))
	if len(database) == 0 || ecosystem == "" {
		s.Wrong = fmt.Errorf("apk: there is no database of apk, or no etc/alpine-release: %w", patch.ErrPermanent)
		cover.Status, cover.Detail = inventory.Failed, s.Wrong.Error()
	} else {
		s.Packages, s.Wrong = readInstalled(database, ecosystem, wishes(files[world]))
		s.Scan.Software = []inventory.Software{}
		for i := range s.Packages {
			if p := &s.Packages[i]; !p.Damaged {
				s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: ecosystem, Name: p.Name, Arch: p.Arch, Version: p.Version, Held: p.Held})
			}
		}
		if s.Wrong != nil {
			cover.Status, cover.Detail = inventory.Partial, s.Wrong.Error()
			if errors.Is(s.Wrong, patch.ErrRecord) {
				s.Unsure = s.Wrong
			}
		}
	}
	s.Scan.Coverage = []inventory.Coverage{cover}
	s.Scan.PendingReboot = restartDue(strings.TrimSpace(string(files["proc/sys/kernel/osrelease"])), s.Packages)
	return s, nil
}

// ecosystemOf returns OSV's word for a release: "Alpine:v3.20" for "3.20.3".
func ecosystemOf(release string) string {
	release = strings.TrimSpace(release)
	numbers := strings.SplitN(release, ".", 3)
	switch {
	case release == "":
		return ""
	case strings.ContainsAny(release, "_"), len(numbers) < 2:
		return "Alpine:edge"
	}
	return "Alpine:v" + numbers[0] + "." + numbers[1]
}

// restartDue compares the kernel that runs ("6.6.30-0-lts") with the one that is installed (linux-lts 6.6.30-r0).
func restartDue(release string, packages []manager.State) patch.Tri {
	parts := strings.Split(release, "-")
	if len(parts) != 3 {
		return patch.Unknown
	}
	for i := range packages {
		if p := &packages[i]; p.Name == "linux-"+parts[2] {
			if p.Version.Text == parts[0]+"-r"+parts[1] {
				return patch.No
			}
			return patch.Yes
		}
	}
	return patch.Unknown
}

// words are in the order of their weight.
func words() []signs.Sign {
	return []signs.Sign{
		{Words: "Unable to lock database: Permission denied", Class: patch.ErrPermanent},
		{Words: "Unable to lock database: Read-only file system", Class: patch.ErrPermanent},
		{Words: "Unable to lock database", Class: patch.ErrBusy},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "UNTRUSTED signature", Class: patch.ErrUntrusted},
		{Words: "BAD signature", Class: patch.ErrUntrusted},
		{Words: "BAD archive", Class: patch.ErrUntrusted},
		{Words: "package integrity error", Class: patch.ErrUntrusted},
		{Words: "v2 database format error", Class: patch.ErrCorrupt},
		{Words: "database format error", Class: patch.ErrCorrupt},
		{Words: "(no such package)", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "breaks: world[", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "unable to select packages", Class: patch.ErrPermanent},
		{Words: "temporary error (try again later)"},
		{Words: "network error"},
		{Words: "DNS lookup error"},
		{Words: "No such file or directory", Class: patch.ErrPermanent},
		{Words: "trying to overwrite", Class: patch.ErrPermanent},
		{Words: "script exited with error", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
		{Words: "Read-only file system", Class: patch.ErrPermanent},
	}
}

// Classify returns an error for apk that has not ended with 0. Its exit code is the number of its errors, so that it is classified by what
// apk says on its error output, and, of why packages cannot be chosen, on the standard output.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	return signs.Classify(r, words(), slices.Concat(r.Stderr, r.Stdout))
}
