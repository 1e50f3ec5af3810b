// Package dnf patches devices that have dnf: AlmaLinux, Rocky Linux, Red Hat, Oracle, Amazon, Fedora and others.
//
// It was tested with dnf 4.14 and rpm 4.18. dnf 5 prints what it would do in the same columns, but gives its sections other words and
// has no exit code 200 for a lock: what is not understood is refused. microdnf prints no such plan.
//
// Packages are held in the list of dnf's plugin versionlock, etc/dnf/plugins/versionlock.list: this package obeys it always, dnf
// itself where the plugin is installed. An old version is kept where dnf's cache or a repository still has it; rpm cannot make a
// package of what is installed.
package dnf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/manager/rpm"
	"github.com/patchflow/patchflow/providers/transport"
)

// New returns the fleet of c, whose devices have dnf. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run dnf, rpm and sh.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: "dnf", Scheme: version.RPM, Suffix: ".rpm", Words: grammar.RPM("dnf"), Open: open})
}

const locks = "etc/dnf/plugins/versionlock.list"

func open(m *manager.Access) manager.Tool {
	return &machine{rpm.Database{Access: m, Locks: locks, Held: func(text string) func(string) bool {
		held := heldIn(text)
		return func(name string) bool { return held[name] }
	}, Program: "dnf",
		Pids: []string{"var/lib/dnf/rpmdb_lock.pid", "var/cache/dnf/metadata_lock.pid", "var/cache/dnf/download_lock.pid", "run/dnf.pid"}}}
}

// A machine is a device and how to work on it.
type machine struct{ rpm.Database }

var (
	_ manager.Tool     = (*machine)(nil)
	_ manager.Fetcher  = (*machine)(nil)
	_ manager.Keeper   = (*machine)(nil)
	_ manager.Repairer = (*machine)(nil)
	_ manager.Prover   = (*machine)(nil)
	_ manager.Holder   = (*machine)(nil)
)

// dnf returns the command line of dnf: it asks nothing, waits for no lock, and takes indices for fresh, which [machine.Refresh] alone
// fetches again. A repository that cannot be had is an error.
func (m *machine) dnf(verb string, options []string, args ...string) transport.Command {
	argv := append([]string{"dnf", "--color=never", "--best", "--setopt=exit_on_lock=1", "--setopt=metadata_expire=-1", "--setopt=*.metadata_expire=-1",
		"--setopt=*.skip_if_unavailable=0", "--setopt=keepcache=1"}, options...)
	argv = append(argv, verb)
	if len(args) > 0 {
		argv = append(append(argv, "--"), args...)
	}
	return transport.Command{Argv: argv, MaxStdout: 8 << 20, MaxStderr: 1 << 20}
}

// run runs dnf and classifies how it has ended.
func (m *machine) run(ctx context.Context, c transport.Command) (transport.Result, error) {
	res, err := m.Run(ctx, c)
	if err == nil {
		err = Classify(res)
	}
	return res, err
}

// nevra is a package as dnf takes it, and names it.
func nevra(name, v, arch string) string { return name + "-" + v + "." + arch }

// wish returns the verb and the arguments of dnf for j.
func (m *machine) wish(j manager.Job) (verb string, args []string) {
	verb = "upgrade"
	if j.Back {
		verb = "downgrade"
	}
	for _, c := range j.Changes {
		if j.Back {
			args = append(args, m.Kept(c.Name, c.To, c.Arch))
		} else {
			args = append(args, nevra(c.Name, c.To, c.Arch))
		}
	}
	return verb, args
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	verb, args := m.wish(j)
	res, err := m.Run(ctx, m.dnf(verb, []string{"-C", "--assumeno"}, args...))
	switch {
	case err != nil:
		return nil, err
	case res.StdoutCut > 0:
		return nil, fmt.Errorf("it is too long: %w", patch.ErrPermanent)
	}
	moves, err := readMoves(res.Stdout)
	if err == nil && len(moves) == 0 {
		err = Classify(res)
	}
	if errors.Is(err, manager.ErrNotOffered) {
		if all, asked := m.Run(ctx, m.dnf(verb, []string{"-C", "--assumeno", "--disableexcludes=all"}, args...)); asked == nil {
			if moves, _ := readMoves(all.Stdout); len(moves) > 0 {
				return nil, fmt.Errorf("the configuration of the device excludes it: %w", patch.ErrNeedsUser)
			}
		}
	}
	return moves, err
}

// Carry implements [manager.Tool]. A script that fails after its package was installed is an error of dnf's words, not of its exit
// code.
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	verb, args := m.wish(j)
	res, err := m.run(ctx, m.dnf(verb, []string{"-C", "-y"}, args...))
	if err == nil {
		err = scripts(res)
	}
	return err
}

// Refresh implements [manager.Fetcher].
func (m *machine) Refresh(ctx context.Context) error {
	_, err := m.run(ctx, m.dnf("makecache", []string{"-y", "--refresh"}))
	return err
}

// Download implements [manager.Fetcher]. Files lie in dnf's cache.
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	verb, args := m.wish(manager.Job{Changes: changes})
	// What is in the cache needs no repository.
	if res, err := m.Run(ctx, m.dnf(verb, []string{"-C", "-y", "--downloadonly"}, args...)); err != nil || res.OK() {
		return err
	}
	_, err := m.run(ctx, m.dnf(verb, []string{"-y", "--downloadonly"}, args...))
	return err
}

const sumScript = `cd "$1" && sha256sum -- "$2" && cd / && rm -rf -- "$1"`

// Sum implements [manager.Fetcher]: of the file itself, since dnf does not tell what its indices say.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	dir := m.Folder() + "/sum"
	if _, err := m.run(ctx, m.dnf("upgrade", []string{"-y", "--downloadonly", "--destdir=" + dir}, nevra(c.Name, c.To, c.Arch))); err != nil {
		return "", err
	}
	res, err := m.Script(ctx, sumScript, nil, dir, rpm.File(c.Name, c.To, c.Arch))
	if err == nil {
		err = desk.Failed(res)
	}
	sum, _, _ := strings.Cut(string(res.Stdout), " ")
	return sum, err
}

const foundScript = `for f in "$1"/var/cache/dnf/*/packages/"$2"; do if [ -s "$f" ]; then echo "$f"; exit 0; fi; done`

// Keep implements [manager.Keeper]: from the cache of dnf, or from a repository that still offers it.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	file := rpm.File(c.Name, c.From, c.Arch)
	res, err := m.Script(ctx, foundScript, nil, m.Root(), file)
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return err
	}
	candidates := []string{m.Folder() + "/" + file}
	if found := strings.TrimSpace(string(res.Stdout)); found != "" {
		candidates = append(candidates, found)
	}
	if kept, err := m.Access.Keep(ctx, c, candidates...); err != nil || kept {
		return err
	}
	verb := "reinstall"
	if c.From == c.To {
		verb = "downgrade" // it is not there any more
	}
	if _, err := m.run(ctx, m.dnf(verb, []string{"-y", "--downloadonly", "--destdir=" + m.Folder()}, nevra(c.Name, c.From, c.Arch))); err != nil {
		if patch.FaultOf(err) == patch.Permanent {
			return fmt.Errorf("no repository has it any more: %w", err)
		}
		return err
	}
	kept, err := m.Access.Keep(ctx, c, candidates...)
	if err == nil && !kept {
		err = fmt.Errorf("dnf has not fetched %s: %w", path.Base(candidates[0]), patch.ErrPermanent)
	}
	return err
}

// Repair implements [manager.Repairer]. What is whole again in the database of rpm is installed once more where a repository has it: a
// script of it may have been cut off.
func (m *machine) Repair(ctx context.Context) error {
	mended, err := m.Mend(ctx)
	for _, c := range mended {
		again := nevra(c.Name, c.To, c.Arch)
		if res, err := m.Run(ctx, m.dnf("reinstall", []string{"-C", "--assumeno"}, again)); err != nil {
			return err
		} else if moves, err := readMoves(res.Stdout); err != nil || len(moves) != 1 || moves[0].Remove || moves[0].Name != c.Name {
			continue
		}
		if _, err := m.Run(ctx, m.dnf("reinstall", []string{"-C", "-y"}, again)); err != nil {
			return err
		}
	}
	return err
}

// Classify returns an error for a command of dnf that has not ended with 0, in the C locale. Its class, see [patch.FaultOf], is that of
// the words which dnf and rpm print, and transient if none is known. The exit code 200 is a lock; what else ends with 1.
//
// That dnf has ended with 0 does not say that it has done what it was told to, nor that the scripts of packages have ended well.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	if r.Code == 200 {
		return fmt.Errorf("%s: %s: %w", r, desk.LastLine(r.Stderr), patch.ErrBusy)
	}
	// What follows is also what scripts of packages say.
	said, _, _ := bytes.Cut(append([]byte("\n"), r.Stdout...), []byte("\nRunning transaction\n"))
	return signs.Classify(r, signs.DNF(), slices.Concat(r.Stderr, said))
}

// scripts returns an error if a script of a package has failed, whatever the exit code says.
func scripts(r transport.Result) error {
	for _, text := range [][]byte{r.Stderr, r.Stdout} {
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "Error in ") && strings.Contains(line, " scriptlet in rpm package ") {
				return fmt.Errorf("%s: %w: %w", strings.TrimSpace(line), manager.ErrUnfinished, patch.ErrPermanent)
			}
		}
	}
	return nil
}

// Hold implements [manager.Holder], by entries as "dnf versionlock add" writes them.
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, name := range names {
		for _, p := range s.Packages {
			c := manager.Change{Name: p.Name, Arch: p.Arch, From: p.Version.Text, To: p.Version.Text}
			if p.Name != name || p.Held == held {
				continue
			}
			if err := m.Check(c); err != nil {
				return err
			}
			v := p.Version.Text
			if !strings.Contains(v, ":") {
				v = "0:" + v
			}
			fmt.Fprintf(&lines, "%s-%s.*\n", name, v)
			break
		}
	}
	const written = `mkdir -p "${1%/*}" && take "$1.new" && cat "$1.new" `
	script := written + `>>"$1"`
	text := lines.String()
	if !held {
		script = written + `>"$1"`
		res, err := m.Script(ctx, `if [ -e "$1" ]; then cat "$1"; fi`, nil, m.Root()+"/"+locks)
		if err == nil {
			err = desk.Failed(res)
		}
		if err != nil {
			return err
		}
		text = ""
		for line := range strings.Lines(string(res.Stdout)) {
			if !slices.ContainsFunc(names, func(name string) bool { return heldIn(line)[name] }) {
				text += line
			}
		}
	}
	res, err := m.Script(ctx, script+"\ne=$?\nrm -f \"$1.new\"\nexit $e", []byte(text), m.Root()+"/"+locks)
	if err == nil {
		err = desk.Failed(res)
	}
	return err
}

// heldIn returns the names in a list of versionlock: "hello-0:1.0-1.*", one a line. Entries with "!" keep versions away, and hold
// nothing.
func heldIn(text string) map[string]bool {
	held := make(map[string]bool)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		at := strings.LastIndexByte(line, '-')
		if at < 0 || strings.HasPrefix(line, "!") {
			continue
		}
		if at = strings.LastIndexByte(line[:at], '-'); at > 0 {
			held[line[:at]] = true
		}
	}
	return held
}
