package pacman

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
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/source/arch"
	"github.com/patchflow/patchflow/providers/transport"
)

// Each package has a folder, in which the file desc is written last but one and the file files last.
const lookScript = `r=$1
if [ -r "$r/proc/sys/kernel/random/boot_id" ]; then echo "boot $(cat "$r/proc/sys/kernel/random/boot_id")"; fi
if [ -r "$r/proc/sys/kernel/osrelease" ] && [ -d "$r/usr/lib/modules" ]; then
  if [ -d "$r/usr/lib/modules/$(cat "$r/proc/sys/kernel/osrelease")" ]; then echo kernel; else echo restart; fi
fi
if [ -d "$r/var/lib/pacman/local" ]; then
  cd "$r/var/lib/pacman/local" || exit 1
  echo database
  for d in */; do
    [ -d "$d" ] || continue
    echo "package ${d%/}"
    if [ -s "$d/desc" ] && [ -e "$d/files" ]; then sed 's/^/ /' "$d/desc" || exit 1; echo; fi
  done
fi
echo end`

// Look implements [manager.Tool]. A restart is due if the modules of the running kernel are gone, as an upgrade of the kernel leaves it.
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	at := m.Now().UTC()
	res, err := m.Script(ctx, lookScript, nil, m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	if err == nil && (res.StdoutCut > 0 || !bytes.HasSuffix(res.Stdout, []byte("end\n"))) {
		err = errors.New("the answer is cut off")
	}
	if err != nil {
		return nil, fmt.Errorf("pacman: look: %w", err)
	}
	ignored, err := m.Run(ctx, transport.Command{Argv: []string{"pacman-conf", "IgnorePkg"}})
	if err != nil {
		return nil, fmt.Errorf("pacman: look: %w", err)
	}
	s := sight(string(res.Stdout), strings.Fields(string(ignored.Stdout)))
	s.Scan.At, s.Scan.Coverage[0].At = at, at
	return s, nil
}

// sight reads what the script has printed.
func sight(text string, ignored []string) *manager.Sight {
	s := &manager.Sight{Scan: inventory.Scan{Coverage: []inventory.Coverage{{Manager: Manager, Status: inventory.Complete}}}}
	var wrong *multierror.Error
	var folder, field string
	var desc map[string]string
	take := func() {
		if folder == "" {
			return
		}
		p, err := entry(folder, desc)
		var damaged *DamagedError
		switch {
		case errors.As(err, &damaged):
			wrong = multierror.Append(wrong, err)
			if p.Name != "" {
				s.Packages = append(s.Packages, p)
			} else if s.Unsure == nil {
				s.Unsure = err
			}
		case err != nil:
			wrong = multierror.Append(wrong, err)
			if s.Unsure == nil {
				s.Unsure = err
			}
		default:
			p.Held = heldBy(ignored, p.Name)
			s.Packages = append(s.Packages, p)
			s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: p.Ecosystem, Name: p.Name, Source: base(desc), Arch: p.Arch, Version: p.Version, Held: p.Held})
			if p.Name == "pacman" || p.Name == "glibc" {
				s.Native = p.Arch
			}
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "" && strings.HasPrefix(rest, "%"):
			field = strings.Trim(rest, "%")
		case word == "":
			if desc != nil && field != "" && desc[field] == "" {
				desc[field] = rest
			}
		case word == "boot":
			s.Scan.BootID = rest
		case word == "kernel":
			s.Scan.PendingReboot = patch.No
		case word == "restart":
			s.Scan.PendingReboot = patch.Yes
		case word == "database":
			s.Scan.Software = []inventory.Software{}
		case word == "package":
			take()
			folder, field, desc = rest, "", make(map[string]string)
		}
	}
	take()
	if s.Scan.Software == nil {
		wrong = multierror.Append(wrong, errors.New("pacman: there is no database"))
	} else if len(s.Packages) == 0 {
		s.Scan.Software = nil
		wrong = multierror.Append(wrong, errors.New("pacman: no package is installed, not even that of the system itself"))
	}
	if s.Wrong = wrong.ErrorOrNil(); s.Wrong != nil {
		coverage := &s.Scan.Coverage[0]
		coverage.Status, coverage.Detail = inventory.Partial, wrong.Errors[0].Error()
		if s.Scan.Software == nil {
			coverage.Status = inventory.Failed
		}
	}
	return s
}

// base is the name of what a package was built from, where it has another.
func base(desc map[string]string) string {
	if b := desc["BASE"]; b != desc["NAME"] {
		return b
	}
	return ""
}

// A DamagedError is an entry of pacman's database that is not whole: pacman was interrupted. It wraps [patch.ErrCorrupt].
type DamagedError struct{ Entry string } // name, version and release, with "-" between

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("pacman: the entry %.100q is not whole: %v", e.Entry, patch.ErrCorrupt)
}

// Unwrap returns [patch.ErrCorrupt].
func (e *DamagedError) Unwrap() error { return patch.ErrCorrupt }

// entry reads the description of a package. One that is not whole is told by the name of its folder, as far as that is a name.
func entry(folder string, desc map[string]string) (manager.State, error) {
	name, v := desc["NAME"], desc["VERSION"]
	damaged := name == ""
	if damaged {
		at := strings.LastIndexByte(folder, '-')
		if at > 0 {
			at = strings.LastIndexByte(folder[:at], '-')
		}
		if at <= 0 {
			return manager.State{}, &DamagedError{folder}
		}
		name, v = folder[:at], folder[at+1:]
	}
	g := grammar.Pacman()
	for _, err := range []error{g.CheckName(name), g.CheckVersion(v), g.CheckArch(desc["ARCH"])} {
		if err != nil {
			return manager.State{}, fmt.Errorf("pacman: entry %.100q: %v: %w", folder, err, patch.ErrRecord)
		}
	}
	parsed, err := version.Parse(version.Arch, v)
	if err != nil {
		return manager.State{}, fmt.Errorf("pacman: entry %.100q: %v: %w", folder, err, patch.ErrRecord)
	}
	p := manager.State{Name: name, Arch: desc["ARCH"], Ecosystem: arch.Ecosystem, Version: parsed, Damaged: damaged}
	if damaged {
		return p, &DamagedError{folder}
	}
	return p, nil
}
