// Package pacman patches devices that run Arch Linux or another system with pacman.
//
// It was tested with pacman 6.0. A repository for pacman has one version of each package: a version that it no longer has is installed
// from pacman's cache or not at all, and a newer one is refused. Arch Linux itself supports no partial upgrades: the
// content of a task should be all that a device misses.
//
// Packages are held by IgnorePkg in etc/pacman.conf. An old version is kept where pacman's cache still has it, or a repository.
package pacman

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
	"github.com/patchflow/patchflow/providers/transport"
)

// Manager is what [inventory.Software] and [inventory.Coverage] call the package manager.
const Manager = "pacman"

// New returns the fleet of c, whose devices have pacman. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run pacman, pacman-conf and sh.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: Manager, Scheme: version.Arch, Suffix: ".pkg.tar", Words: grammar.Pacman(),
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Tool     = (*machine)(nil)
	_ manager.Fetcher  = (*machine)(nil)
	_ manager.Keeper   = (*machine)(nil)
	_ manager.Repairer = (*machine)(nil)
	_ manager.Prover   = (*machine)(nil)
	_ manager.Holder   = (*machine)(nil)
)

func (m *machine) pacman(options []string, args ...string) transport.Command {
	argv := append([]string{"pacman", "--noconfirm", "--color=never"}, options...)
	if len(args) > 0 {
		argv = append(append(argv, "--"), args...)
	}
	return transport.Command{Argv: argv, MaxStdout: 8 << 20, MaxStderr: 1 << 20}
}

func (m *machine) run(ctx context.Context, c transport.Command) (transport.Result, error) {
	res, err := m.Run(ctx, c)
	if err == nil {
		err = Classify(res)
	}
	return res, err
}

// wish returns the operation and the arguments of pacman for j.
func (m *machine) wish(j manager.Job) (op string, args []string) {
	op = "-S"
	if j.Back {
		op = "-U"
	}
	for _, c := range j.Changes {
		if j.Back {
			args = append(args, m.Kept(c.Name, c.To, c.Arch))
		} else {
			args = append(args, c.Name)
		}
	}
	return op, args
}

// Plan implements [manager.Tool]. That pacman would remove something for what it installs it asks about, and is told no by
// --noconfirm: it fails then.
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	op, args := m.wish(j)
	res, err := m.run(ctx, m.pacman([]string{op, "--print", "--print-format=" + mark + "%n %v"}, args...))
	if err != nil {
		return nil, err
	}
	if res.StdoutCut > 0 {
		return nil, fmt.Errorf("it is too long: %w", patch.ErrPermanent)
	}
	moves, err := readMoves(res.Stdout)
	if err != nil {
		return nil, err
	}
	for _, c := range j.Changes {
		at := slices.IndexFunc(moves, func(v manager.Move) bool { return v.Name == c.Name })
		if at >= 0 && moves[at].To != c.To && !j.Back {
			return nil, fmt.Errorf("the repositories have %s %s, wanted is %s: %w: %w", c.Name, moves[at].To, c.To, manager.ErrNotOffered, patch.ErrPermanent)
		}
	}
	s, err := m.Look(ctx)
	if err != nil {
		return nil, err
	}
	for i, v := range moves {
		for _, p := range s.Packages {
			if p.Name == v.Name {
				moves[i].From = p.Version.Text
			}
		}
	}
	return moves, nil
}

// mark begins the lines of a plan, among others that pacman prints.
const mark = "would install: "

// readMoves reads lines of name and version. Lines that are not understood are an error: nothing is done by half a plan.
func readMoves(stdout []byte) ([]manager.Move, error) {
	var moves []manager.Move
	g := grammar.Pacman()
	for line := range strings.Lines(string(stdout)) {
		line, ours := strings.CutPrefix(strings.TrimSuffix(line, "\n"), mark)
		if !ours {
			continue
		}
		name, v, found := strings.Cut(line, " ")
		if !found || g.CheckName(name) != nil || g.CheckVersion(v) != nil {
			return nil, fmt.Errorf("%.200q is not understood: %w", line, patch.ErrPermanent)
		}
		moves = append(moves, manager.Move{Name: name, To: v})
	}
	return moves, nil
}

// Carry implements [manager.Tool]. A script that fails is an error of pacman's words, not of its exit code.
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	op, args := m.wish(j)
	res, err := m.run(ctx, m.pacman([]string{op}, args...))
	if err == nil && bytes.Contains(res.Stderr, []byte("error: command failed to execute correctly")) {
		err = fmt.Errorf("error: command failed to execute correctly: %w: %w", manager.ErrUnfinished, patch.ErrPermanent)
	}
	return err
}

// Refresh implements [manager.Fetcher]. Twice -y: pacman takes an index that has the same second for the same.
func (m *machine) Refresh(ctx context.Context) error {
	_, err := m.run(ctx, m.pacman([]string{"-Syy"}))
	return err
}

// Download implements [manager.Fetcher].
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	op, args := m.wish(manager.Job{Changes: changes})
	_, err := m.run(ctx, m.pacman([]string{op, "--downloadonly"}, args...))
	return err
}

// Sum implements [manager.Fetcher]: of the file itself, since pacman does not tell what its index says.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	if err := m.Download(ctx, []manager.Change{c}); err != nil {
		return "", err
	}
	file, err := m.cached(ctx, manager.Change{Name: c.Name, From: c.To, Arch: c.Arch})
	if err != nil {
		return "", err
	}
	res, err := m.Script(ctx, `sha256sum -- "$1"`, nil, file)
	if err == nil {
		err = desk.Failed(res)
	}
	sum, _, _ := strings.Cut(string(res.Stdout), " ")
	return sum, err
}

const foundScript = `for f in "$1"/var/cache/pacman/pkg/"$2".pkg.tar*; do
  case $f in *.sig | *.part) continue ;; esac
  if [ -s "$f" ]; then echo "$f"; exit 0; fi
done`

// cached returns the file of a package in pacman's cache, "" if it is not there.
func (m *machine) cached(ctx context.Context, c manager.Change) (string, error) {
	res, err := m.Script(ctx, foundScript, nil, m.Root(), c.Name+"-"+c.From+"-"+c.Arch)
	if err == nil {
		err = desk.Failed(res)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// Keep implements [manager.Keeper].
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	for _, fetch := range []bool{false, true} {
		if fetch {
			res, err := m.run(ctx, m.pacman([]string{"-S", "--print", "--nodeps", "--nodeps", "--print-format=%n %v"}, c.Name))
			if err != nil || strings.TrimSpace(string(res.Stdout)) != c.Name+" "+c.From {
				break
			}
			if _, err := m.run(ctx, m.pacman([]string{"-S", "--downloadonly", "--nodeps", "--nodeps"}, c.Name)); err != nil {
				return err
			}
		}
		var files []string
		if file, err := m.cached(ctx, c); err != nil {
			return err
		} else if file != "" {
			files = append(files, file)
		}
		if kept, err := m.Access.Keep(ctx, c, files...); err != nil || kept {
			return err
		}
	}
	return fmt.Errorf("neither pacman's cache nor a repository has it: %w", patch.ErrPermanent)
}

// Altered implements [manager.Prover].
func (m *machine) Altered(ctx context.Context, changes []manager.Change) (string, error) {
	var names []string
	for _, c := range changes {
		names = append(names, c.Name)
	}
	res, err := m.Run(ctx, m.pacman([]string{"-Qkk"}, names...))
	if err != nil {
		return "", err
	}
	if len(res.Stdout) == 0 && !res.OK() {
		return "", Classify(res)
	}
	return alteredIn(append(res.Stdout, res.Stderr...)), nil
}

// alteredIn reads lines of "pacman -Qkk": "warning: jq: /usr/bin/jq (SHA256 checksum mismatch)". Those of files for configuration begin
// with "backup file: ".
func alteredIn(text []byte) string {
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "warning: ")
		_, rest, found := strings.Cut(rest, ": /")
		at := strings.LastIndex(rest, " (")
		if !ok || !found || at < 0 {
			continue
		}
		file, why := "/"+rest[:at], rest[at+2:]
		switch {
		case strings.HasPrefix(why, "No such file"):
			spare := slices.ContainsFunc([]string{"/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/"}, func(p string) bool { return strings.HasPrefix(file, p) })
			if !spare {
				return file + " is missing"
			}
		case strings.Contains(why, "checksum mismatch"), strings.HasPrefix(why, "Size mismatch"), strings.HasPrefix(why, "File type mismatch"):
			return file + " was altered"
		}
	}
	return ""
}

const (
	holdScript   = `sed "/^\[options\]/a IgnorePkg = $2" "$1/etc/pacman.conf" >"$1/etc/pacman.conf.new" && cat "$1/etc/pacman.conf.new" >"$1/etc/pacman.conf" && rm -f "$1/etc/pacman.conf.new"`
	unholdScript = `grep -vxF "IgnorePkg = $2" "$1/etc/pacman.conf" >"$1/etc/pacman.conf.new" && cat "$1/etc/pacman.conf.new" >"$1/etc/pacman.conf" && rm -f "$1/etc/pacman.conf.new"`
)

// Hold implements [manager.Holder], by one line for each package. Lines of others are left alone.
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.ContainsFunc(s.Packages, func(p manager.State) bool { return p.Name == name && p.Held == held }) {
			continue
		}
		script := holdScript
		if !held {
			script = unholdScript
		}
		res, err := m.Script(ctx, script, nil, m.Root(), name)
		if err == nil {
			err = desk.Failed(res)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// heldBy says whether patterns of IgnorePkg, which may be those of glob(7), hold a package.
func heldBy(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		fits, err := path.Match(pattern, name)
		return err == nil && fits
	})
}

// Classify returns an error for a command of pacman that has not ended with 0, in the C locale. Its class, see [patch.FaultOf], is
// that of its errors and warnings, and transient where none is known: pacman ends with 1 whatever has happened.
//
// That pacman has ended with 0 does not say that the scripts of packages have ended well.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	var ours []byte
	for line := range bytes.Lines(slices.Concat(r.Stderr, []byte("\n"), r.Stdout)) {
		if bytes.HasPrefix(line, []byte("error: ")) || bytes.HasPrefix(line, []byte("warning: ")) || bytes.HasPrefix(line, []byte(":: ")) || bytes.HasPrefix(line, []byte("pacman: ")) ||
			bytes.Contains(line, []byte("exists in filesystem")) {
			ours = append(ours, line...)
		}
	}
	return signs.Classify(r, signs.Pacman(), ours)
}

// lockScript looks for a process of pacman before it takes a lock for one that somebody has left behind.
const lockScript = `l=$1/var/lib/pacman/db.lck
[ -e "$l" ] || { echo free; exit 0; }
for p in /proc/[0-9]*; do
  read -r n <"$p/comm" || continue
  case $n in
  pacman | pamac* | packagekitd | yay | paru)
    if [ -z "$1" ] || tr '\0' ' ' <"$p/cmdline" | grep -qF -e "$1"; then echo "process ${p#/proc/} works with it"; exit 0; fi ;;
  esac
done 2>/dev/null
if [ -e "$l" ]; then echo left; else echo free; fi`

func (m *machine) lock(ctx context.Context) (string, error) {
	res, err := m.Script(ctx, lockScript, nil, m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error {
	until := m.Now().Add(max(m.Lock, 0))
	for {
		said, err := m.lock(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("pacman: lock: %w", err)
		case said == "left":
			return fmt.Errorf("pacman: lock: the program that has taken it is gone: %w", patch.ErrCorrupt)
		case said == "free":
			s, err := m.Look(ctx)
			if err == nil && errors.Is(s.Wrong, patch.ErrCorrupt) {
				err = s.Wrong
			}
			return err
		}
		if !m.Now().Before(until) || !m.Pause(ctx) {
			return fmt.Errorf("pacman: lock: %s: %w", said, patch.ErrBusy)
		}
	}
}

// Repair implements [manager.Repairer]. A lock whose program is gone is taken away. A package whose entry is not whole is installed again
// from what is kept or cached of that version, over the files that nobody owns any more.
func (m *machine) Repair(ctx context.Context) error {
	said, err := m.lock(ctx)
	if err != nil {
		return err
	}
	if said == "left" {
		res, err := m.Script(ctx, `rm -f "$1/var/lib/pacman/db.lck"`, nil, m.Root())
		if err == nil {
			err = desk.Failed(res)
		}
		if err != nil {
			return err
		}
	}
	s, err := m.Look(ctx)
	if err != nil {
		return err
	}
	for _, p := range s.Packages {
		if !p.Damaged {
			continue
		}
		if err := m.again(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

const (
	asideScript = `mkdir -p "$2" && rm -rf "$2/entry" && mv "$1" "$2/entry"`
	backScript  = `[ -e "$1" ] || mv "$2/entry" "$1"; rm -rf "$2/entry"`
)

// again installs the version that an entry names once more. pacman does nothing at all where an entry is not whole: it is put aside
// meanwhile, and back if that version is nowhere.
func (m *machine) again(ctx context.Context, p manager.State) error {
	entry := m.Root() + "/var/lib/pacman/local/" + p.Name + "-" + p.Version.Text
	if err := m.Check(manager.Change{Name: p.Name, From: p.Version.Text, To: p.Version.Text}); err != nil {
		return err
	}
	move := func(script string) error {
		res, err := m.Script(ctx, script, nil, entry, m.Folder())
		if err == nil {
			err = desk.Failed(res)
		}
		return err
	}
	if err := move(asideScript); err != nil {
		return err
	}
	for _, arch := range []string{"any", "x86_64", "aarch64"} {
		c := manager.Change{Name: p.Name, Arch: arch, From: p.Version.Text, To: p.Version.Text}
		if m.Keep(ctx, c) != nil {
			continue
		}
		_, err := m.run(ctx, m.pacman([]string{"-U", "--overwrite=*"}, m.Kept(c.Name, c.From, c.Arch)))
		return errors.Join(err, move(backScript))
	}
	return move(backScript)
}
