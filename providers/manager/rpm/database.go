package rpm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/transport"
)

// A Database is the database of rpm on a device that commands reach: what package managers over rpm have in common. Its methods are
// those of [manager.Tool] and its abilities.
type Database struct {
	*manager.Access

	// Held reads the text of Locks: which packages are held, by name.
	Held func(locks string) func(name string) bool

	// Locks is the file below the root in which the package manager keeps that, without a slash at its beginning.
	Locks string

	// Pids are files below the root that hold the number of a process which works with the package manager, and Program is in
	// the command line of such a process: one that is gone, or another one by now, does not count. "" is in every one.
	Pids    []string
	Program string
}

// The files are told with the number of their lines, since they hold anything. The last line of each may lack its end.
const lookScript = `r=$1
for f in etc/os-release usr/lib/os-release proc/sys/kernel/random/boot_id proc/sys/kernel/osrelease "$2"; do
  if [ -r "$r/$f" ]; then echo "file $f"; sed 's/^/ /' "$r/$f" || exit 1; echo; fi
done
if [ -r "$r/proc/stat" ]; then grep '^btime ' "$r/proc/stat"; fi
if [ -e "$r/run/reboot-needed" ]; then echo due; fi
for f in usr/lib/sysimage/rpm var/lib/rpm; do
  for p in rpmdb.sqlite Packages.db Packages; do
    if [ -f "$r/$f/$p" ]; then echo database; break 2; fi
  done
done
echo end`

// Look implements [manager.Tool]. A package that is there twice and must not be is damaged.
func (d Database) Look(ctx context.Context) (*manager.Sight, error) {
	e := evidence{at: d.Now().UTC()}
	res, err := d.Script(ctx, lookScript, nil, d.Root(), d.Locks)
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return nil, fmt.Errorf("rpm: look: %w", err)
	}
	files := make(map[string]string)
	database, whole, at := false, false, ""
	for line := range strings.Lines(string(res.Stdout)) {
		text := strings.TrimSuffix(line, "\n")
		name, isFile := strings.CutPrefix(text, "file ")
		switch {
		case strings.HasPrefix(line, " "):
			files[at] += line[1:]
		case isFile:
			at = name
		case strings.HasPrefix(line, "btime "):
			e.boot = bootOf(strings.NewReader(line))
		case text == "due":
			e.due = true
		case text == "database":
			database = true
		case text == "end":
			whole = true
		}
	}
	if !whole {
		return nil, errors.New("rpm: look: the answer is cut off")
	}
	e.bootID, e.kernel = strings.TrimSpace(files["proc/sys/kernel/random/boot_id"]), strings.TrimSpace(files["proc/sys/kernel/osrelease"])
	release, err := releaseIn(files)
	switch {
	case err != nil:
		e.err = err
	case !database:
		e.err = errors.New("rpm: the device has no database of rpm")
	default:
		if e.list, e.err, err = d.query(ctx, release.Ecosystem()); err != nil {
			return nil, err
		}
	}
	if d.Held != nil {
		held := d.Held(files[d.Locks])
		for i := range e.list {
			e.list[i].Held = held(e.list[i].Name)
		}
	}
	return e.sight(), nil
}

func releaseIn(files map[string]string) (Release, error) {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if text, ok := files[name]; ok {
			return ReadRelease(strings.NewReader(text))
		}
	}
	return Release{}, errors.New("rpm: there is no os-release")
}

// query asks rpm. The last error is that of a device which cannot be asked.
func (d Database) query(ctx context.Context, ecosystem string) (list []installed, wrong, err error) {
	ask := func(format string) (transport.Result, error) {
		return d.Run(ctx, transport.Command{Argv: []string{"rpm", "-qa", "--queryformat", format}, MaxStdout: 64 << 20})
	}
	res, err := ask(QueryFormat)
	if err == nil && !res.OK() && bytes.Contains(res.Stderr, []byte("MODULARITYLABEL")) {
		res, err = ask(OldQueryFormat)
	}
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("rpm: query: %w", err)
	case res.StdoutCut > 0:
		return nil, errors.New("rpm prints without end"), nil
	case !res.OK():
		return nil, fmt.Errorf("rpm: query: %w", Classify(res)), nil
	}
	list, wrong = listOf(res.Stdout, complaintsOf(res.Stderr), ecosystem)
	return list, wrong, nil
}

// sight is the scan, and what can be worked on.
func (e evidence) sight() *manager.Sight {
	s := &manager.Sight{Scan: e.scan(inventory.Device{}), Wrong: e.err}
	twice := make(map[[2]string]bool)
	var several *multierror.Error
	if errors.As(e.err, &several) {
		for _, err := range several.Errors {
			var d *DuplicateError
			if errors.As(err, &d) {
				twice[[2]string{d.Name, d.Arch}] = true
			} else if s.Unsure == nil {
				s.Unsure = err
			}
		}
	} else {
		s.Unsure = e.err
	}
	at := make(map[[2]string]int)
	for i := range e.list {
		p := &e.list[i]
		if p.Name == "rpm" || p.Name == "glibc" {
			s.Native = p.Arch
		}
		id := [2]string{p.Name, p.Arch}
		n, known := at[id]
		if !known {
			at[id] = len(s.Packages)
			s.Packages = append(s.Packages, manager.State{Name: p.Name, Arch: p.Arch, Ecosystem: p.Ecosystem, Version: p.Version, Held: p.Held, Damaged: twice[id]})
			continue
		}
		// Of what is there several times the newest counts, and of what must not be the oldest: the work was not done.
		if order, err := version.Compare(p.Version, s.Packages[n].Version); err == nil && (order > 0) != twice[id] && order != 0 {
			s.Packages[n].Version = p.Version
		}
	}
	return s
}

// The lock of rpm is one on a file, which only the kernel tells of.
const lockedScript = `r=$1 program=$2
shift 2
for f in usr/lib/sysimage/rpm/.rpm.lock var/lib/rpm/.rpm.lock; do
  if [ -e "$r/$f" ]; then
    i=$(stat -c %i "$r/$f") || exit 1
    if grep -q "WRITE .*:$i " /proc/locks; then echo "$f is locked"; exit 0; fi
  fi
done
for f; do
  if [ -s "$r/$f" ]; then
    p=$(head -n 1 "$r/$f" | tr -cd 0-9)
    if [ -n "$p" ] && [ -r "/proc/$p/cmdline" ] && tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "$program"; then echo "process $p works with it"; exit 0; fi
  fi
done
echo free`

// Ready implements [manager.Tool]. It waits for the lock as long as the configuration says.
func (d Database) Ready(ctx context.Context) error {
	if err := d.Wait(ctx, func() error { return d.free(ctx) }); err != nil {
		return err
	}
	s, err := d.Look(ctx)
	if err != nil {
		return err
	}
	if errors.Is(s.Wrong, patch.ErrCorrupt) {
		return s.Wrong
	}
	return nil
}

// free returns an error while another program has one of the locks.
func (d Database) free(ctx context.Context) error {
	res, err := d.Script(ctx, lockedScript, nil, append([]string{d.Root(), d.Program}, d.Pids...)...)
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return fmt.Errorf("rpm: lock: %w", err)
	}
	if said := strings.TrimSpace(string(res.Stdout)); said != "free" {
		return fmt.Errorf("rpm: lock: %s: %w", said, patch.ErrBusy)
	}
	return nil
}

// Repair implements [manager.Repairer]. Of a package that is there twice the entry that was written first is erased, as the
// upgrade which was interrupted would have done. A database that rpm cannot read is built again.
func (d Database) Repair(ctx context.Context) error {
	s, err := d.Look(ctx)
	if err != nil {
		return err
	}
	if s.Scan.Software == nil || errors.Is(s.Unsure, patch.ErrCorrupt) {
		if res, err := d.Run(ctx, transport.Command{Argv: []string{"rpm", "--rebuilddb"}}); err != nil || patch.FaultOf(Classify(res)) == patch.DiskFull {
			return errors.Join(err, Classify(res))
		}
		if s, err = d.Look(ctx); err != nil {
			return err
		}
	}
	var several *multierror.Error
	if !errors.As(s.Wrong, &several) {
		return nil
	}
	for _, wrong := range several.Errors {
		var twice *DuplicateError
		if !errors.As(wrong, &twice) {
			continue
		}
		// rpm lists what was written last first with --last.
		res, err := d.Run(ctx, transport.Command{Argv: []string{"rpm", "-q", "--queryformat", `%{DBINSTANCE} %{NAME}-%{EVR}.%{ARCH}\n`, twice.Name + "." + twice.Arch}})
		if err != nil {
			return fmt.Errorf("rpm: repair: %w", err)
		}
		newest := newestEntry(res.Stdout)
		for _, v := range twice.Versions {
			old := twice.Name + "-" + v + "." + twice.Arch
			if old == newest || newest == "" {
				continue
			}
			if err := d.Check(manager.Change{Name: twice.Name, Arch: twice.Arch, From: v, To: v}); err != nil {
				return err
			}
			res, err := d.Run(ctx, transport.Command{Argv: []string{"rpm", "--erase", "--nodeps", "--", old}})
			if err == nil {
				err = Classify(res)
			}
			if err != nil && (patch.FaultOf(err) != patch.Transient || !res.Ended) {
				return fmt.Errorf("rpm: repair: erase %s: %w", old, err)
			}
		}
	}
	return nil
}

// Mend does as Repair, and returns the packages that were damaged and are whole now, as changes from and to what they are.
func (d Database) Mend(ctx context.Context) ([]manager.Change, error) {
	before, err := d.Look(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.Repair(ctx); err != nil {
		return nil, err
	}
	after, err := d.Look(ctx)
	if err != nil {
		return nil, err
	}
	var mended []manager.Change
	for _, p := range before.Packages {
		for _, now := range after.Packages {
			c := manager.Change{Name: now.Name, Arch: now.Arch, From: now.Version.Text, To: now.Version.Text}
			if p.Damaged && !now.Damaged && now.Name == p.Name && now.Arch == p.Arch && d.Check(c) == nil {
				mended = append(mended, c)
			}
		}
	}
	return mended, nil
}

// File is what the file of a package is called in repositories: without the epoch of its version.
func File(name, v, arch string) string {
	if _, rest, found := strings.Cut(v, ":"); found {
		v = rest
	}
	return name + "-" + v + "." + arch + ".rpm"
}

// newestEntry returns the package with the highest number, which rpm gives in the order in which it writes entries.
func newestEntry(stdout []byte) (newest string) {
	highest := -1
	for line := range strings.Lines(string(stdout)) {
		var n int
		var name string
		if _, err := fmt.Sscanf(line, "%d %s", &n, &name); err == nil && n > highest {
			highest, newest = n, name
		}
	}
	return newest
}

// Altered implements [manager.Prover].
func (d Database) Altered(ctx context.Context, changes []manager.Change) (string, error) {
	argv := []string{"rpm", "--verify", "--nodeps", "--noscripts", "--"}
	for _, c := range changes {
		argv = append(argv, c.Name+"."+c.Arch)
	}
	res, err := d.Run(ctx, transport.Command{Argv: argv})
	if err != nil {
		return "", err
	}
	if len(res.Stdout) == 0 && !res.OK() {
		return "", Classify(res)
	}
	return alteredIn(res.Stdout), nil
}

// alteredIn reads lines of "rpm --verify": nine letters for what differs or "missing", an attribute, and the path (rpm(8), VERIFY
// OPTIONS).
func alteredIn(stdout []byte) string {
	for line := range strings.Lines(string(stdout)) {
		what, path, ok := strings.Cut(strings.TrimRight(line, "\n"), " /")
		words := strings.Fields(what)
		if !ok || len(words) == 0 || len(words) > 1 && strings.ContainsAny(words[1], "cdg") {
			continue
		}
		switch {
		case words[0] == "missing":
			return "/" + path + " is missing"
		case len(words[0]) >= 9 && words[0][2] == '5':
			return "/" + path + " was altered"
		}
	}
	return ""
}

// Classify returns an error for a command of rpm that has not ended with 0, in the C locale. Its class, see [patch.FaultOf], is
// transient where nothing is known.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	return signs.Classify(r, signs.RPM(), r.Stderr)
}
