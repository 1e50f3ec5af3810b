// Package zypper patches devices that have zypper: SUSE Linux Enterprise and openSUSE.
//
// It was tested with zypper 1.14 and rpm 4.18. Of zypper it reads the answers in XML (--xmlout) and the exit codes of zypper(8); what is not
// understood is refused. Packages are named by name, architecture and version, and found by name alone, never by what they provide.
// Licences are not agreed to, and keys not trusted: whoever owns a device does both.
//
// Packages are held by zypper's locks, see [zypper addlock]. An old version is kept where zypper's cache or a repository still has it;
// rpm cannot make a package of what is installed. Rollbacks of packages that are installed side by side, as kernels are, were not tried.
//
// [zypper addlock]: https://en.opensuse.org/SDB:Zypper_manual
package zypper

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

// New returns the fleet of c, whose devices have zypper. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run zypper, rpm and sh.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: "zypper", Scheme: version.RPM, Suffix: ".rpm", Words: grammar.RPM("zypper"), Open: open})
}

// A program that is gone leaves its number in the file; any other that has it counts, as it does for zypper.
func open(m *manager.Access) manager.Tool {
	return &tool{rpm.Database{Access: m, Locks: locks, Held: heldBy, Pids: []string{"run/zypp.pid", "var/run/zypp.pid"}}}
}

// A tool is the zypper of a device.
type tool struct{ rpm.Database }

var (
	_ manager.Tool     = (*tool)(nil)
	_ manager.Fetcher  = (*tool)(nil)
	_ manager.Keeper   = (*tool)(nil)
	_ manager.Repairer = (*tool)(nil)
	_ manager.Prover   = (*tool)(nil)
	_ manager.Holder   = (*tool)(nil)
)

// zypper returns a command line of zypper: it asks nothing, waits for no lock, and fetches no index.
func zypper(options []string, verb string, args ...string) transport.Command {
	argv := append([]string{"zypper", "--non-interactive", "--xmlout", "--no-refresh"}, options...)
	return transport.Command{Argv: append(append(argv, verb), args...), MaxStdout: 8 << 20, MaxStderr: 1 << 20}
}

// run runs zypper and classifies how it has ended.
func (m *tool) run(ctx context.Context, c transport.Command) (answer, error) {
	res, err := m.Run(ctx, c)
	if err == nil {
		err = Classify(res)
	}
	return read(res.Stdout), err
}

// exactly is a package as zypper takes it.
func exactly(name, v, arch string) string { return name + "." + arch + "=" + v }

// install returns the command for j, with further options.
func (m *tool) install(j manager.Job, options ...string) transport.Command {
	args := []string{"--name", "--type", "package", "--no-recommends", "--no-force-resolution"}
	again := j.Back
	for _, c := range j.Changes {
		again = again || c.Damaged
	}
	if again {
		args = append(args, "--force")
	}
	if j.Back {
		args = append(args, "--oldpackage")
	}
	args = append(append(args, options...), "--")
	for _, c := range j.Changes {
		if j.Back {
			args = append(args, m.Kept(c.Name, c.To, c.Arch))
		} else {
			args = append(args, exactly(c.Name, c.To, c.Arch))
		}
	}
	return zypper(nil, "install", args...)
}

// Plan implements [manager.Tool].
func (m *tool) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	res, err := m.Run(ctx, m.install(j, "--dry-run"))
	switch {
	case err != nil:
		return nil, err
	case res.StdoutCut > 0:
		return nil, fmt.Errorf("it is too long: %w", patch.ErrPermanent)
	}
	if err := Classify(res); err != nil {
		return nil, err
	}
	a := read(res.Stdout)
	if a.odd == nil && !a.whole {
		a.odd = errors.New("the answer is cut off")
	}
	return a.moves, a.odd
}

// Carry implements [manager.Tool].
func (m *tool) Carry(ctx context.Context, j manager.Job) error {
	_, err := m.run(ctx, m.install(j))
	return err
}

// Refresh implements [manager.Fetcher]. Indices that are as they were are not fetched again, but their signature is.
func (m *tool) Refresh(ctx context.Context) error {
	a, err := m.run(ctx, transport.Command{Argv: []string{"zypper", "--non-interactive", "--xmlout", "refresh"}, MaxStdout: 8 << 20, MaxStderr: 1 << 20})
	if err == nil && len(a.errors) > 0 {
		err = fmt.Errorf("%.400s", a.errors[0])
	}
	return err
}

const roomScript = `df -Pk "$1/var/cache/zypp/packages" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; }`

// Download implements [manager.Fetcher]. Files lie in zypper's cache. Why a file could not be put there zypper does not tell: the room that
// is left does.
func (m *tool) Download(ctx context.Context, changes []manager.Change) error {
	a, err := m.run(ctx, m.install(manager.Job{Changes: changes}, "--download-only"))
	if err == nil || !strings.Contains(strings.Join(a.errors, "\n"), "Can't hardlink/copy") {
		return err
	}
	if free, asked := m.script(ctx, roomScript, m.Root()); asked == nil {
		if n, wrong := strconv.ParseInt(free, 10, 64); wrong == nil && n < a.size>>10 {
			return fmt.Errorf("%w: %w", err, patch.ErrDiskFull)
		}
	}
	return err
}

// fetch brings the file of a package into a folder of its own, whose path ends with dir, and returns its path. The device need not lack
// the package.
func (m *tool) fetch(ctx context.Context, dir, name, v, arch string) (string, error) {
	res, err := m.Run(ctx, zypper([]string{"--pkg-cache-dir", dir}, "download", "--", exactly(name, v, arch)))
	if err == nil {
		err = Classify(res)
	}
	if err != nil {
		return "", err
	}
	a := read(res.Stdout)
	if len(a.files) == 0 { // which zypper takes for a success
		return "", a.classify(res)
	}
	if len(a.files) != 1 || !strings.HasPrefix(a.files[0], dir+"/") {
		return "", fmt.Errorf("zypper has fetched something else than %s: %w", exactly(name, v, arch), patch.ErrPermanent)
	}
	return a.files[0], nil
}

const (
	sumScript    = `sha256sum -- "$1"`
	removeScript = `rm -rf -- "$1"`
	foundScript  = `find "$1/var/cache/zypp/packages" -type f -size +0 -name "$2" 2>/dev/null
:`
)

// script runs a script and returns what it prints.
func (m *tool) script(ctx context.Context, script string, args ...string) (string, error) {
	res, err := m.Script(ctx, script, nil, args...)
	if err == nil {
		err = desk.Failed(res)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// Sum implements [manager.Summer]: of the file itself, since zypper does not tell what its indices say.
func (m *tool) Sum(ctx context.Context, c manager.Change) (string, error) {
	dir := m.Folder() + "/sum"
	file, err := m.fetch(ctx, dir, c.Name, c.To, c.Arch)
	if err != nil {
		return "", err
	}
	line, err := m.script(ctx, sumScript, file)
	if err == nil {
		_, err = m.script(ctx, removeScript, dir)
	}
	sum, _, _ := strings.Cut(line, " ")
	return sum, err
}

// Keep implements [manager.Keeper]: from the cache of zypper, or from a repository that still offers it.
func (m *tool) Keep(ctx context.Context, c manager.Change) error {
	found, err := m.script(ctx, foundScript, m.Root(), rpm.File(c.Name, c.From, c.Arch))
	if err != nil {
		return err
	}
	var candidates []string
	if found != "" {
		candidates = strings.Split(found, "\n")
	}
	if kept, err := m.Access.Keep(ctx, c, candidates...); err != nil || kept {
		return err
	}
	dir := m.Folder() + "/fetched"
	file, err := m.fetch(ctx, dir, c.Name, c.From, c.Arch)
	if err != nil {
		return err
	}
	kept, err := m.Access.Keep(ctx, c, file)
	if err == nil && !kept {
		err = fmt.Errorf("zypper has not fetched %s: %w", rpm.File(c.Name, c.From, c.Arch), patch.ErrPermanent)
	}
	if err == nil {
		_, err = m.script(ctx, removeScript, dir)
	}
	return err
}

// Repair implements [manager.Repairer]. What is whole again in the database of rpm is installed once more where a repository has it: a
// script of it may have been cut off.
func (m *tool) Repair(ctx context.Context) error {
	mended, err := m.Mend(ctx)
	for _, c := range mended {
		c.Damaged = true // it is there, and to be installed again
		j := manager.Job{Changes: []manager.Change{c}}
		moves, wrong := m.Plan(ctx, j)
		if len(moves) == 1 && wrong == nil && !moves[0].Remove && moves[0].Name == c.Name && moves[0].To == c.To {
			if _, err := m.Run(ctx, m.install(j)); err != nil {
				return err
			}
		}
	}
	return err
}

// Hold implements [manager.Holder], by zypper's locks.
func (m *tool) Hold(ctx context.Context, held bool, names []string) error {
	verb := "addlock"
	if !held {
		verb = "removelock"
	}
	_, err := m.run(ctx, zypper(nil, verb, append([]string{"--type", "package", "--"}, names...)...))
	return err
}

// Classify returns an error for a command of zypper, with --xmlout and in the C locale, that has failed. Its class, see
// [patch.FaultOf], is that of its exit code (zypper(8), EXIT CODES), and where that leaves it open, of the words in zypper's errors and
// questions; what scripts of packages print does not count. It is transient if nothing is known. The codes 100 to 103 are no
// failures: they tell that there are patches, and that the device or zypper is to be restarted.
//
// That zypper has ended well does not say that it has done what it was told to.
func Classify(r transport.Result) error {
	if !r.Ended || r.Signal != "" {
		return signs.Classify(r, nil)
	}
	a := read(r.Stdout)
	class := func(err error) error { return fmt.Errorf("%s: %s: %w", r, a.reason(), err) }
	switch r.Code {
	case 0, 100, 101, 102, 103:
		return nil
	case 2, 3, 5, 6: // syntax, arguments, rights, no repository
		return class(patch.ErrPermanent)
	case 7: // another program has the lock
		return class(patch.ErrBusy)
	case 104: // no package is called so
		return class(fmt.Errorf("%w: %w", manager.ErrNotOffered, patch.ErrPermanent))
	case 107: // a script after the installation has failed
		return class(fmt.Errorf("%w: %w", manager.ErrUnfinished, patch.ErrPermanent))
	}
	return a.classify(r)
}
