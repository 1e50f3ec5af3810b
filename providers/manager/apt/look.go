package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A machine is a device and how to work on it.
type machine struct {
	desk.Device
	*Config
}

// The files are told with their sizes, since they hold anything.
const lookScript = `for f in etc/os-release usr/lib/os-release proc/sys/kernel/random/boot_id var/lib/dpkg/status; do
  if [ -r "$1/$f" ]; then
    n=$(wc -c <"$1/$f") || exit 1
    echo "file $f" $n
    cat "$1/$f" || exit 1
    echo
  fi
done
for f in run/reboot-required usr/share/update-notifier/notify-reboot-required; do
  if [ -e "$1/$f" ]; then echo "there $f"; fi
done
if [ -d "$1/var/lib/dpkg/updates" ]; then
  ls "$1/var/lib/dpkg/updates" || exit 1
fi
echo end`

// A sight is what a device looks like: its scan, and what the scan alone does not tell.
type sight struct {
	scan    inventory.Scan
	native  string          // its architecture, "" if no package tells
	damaged []*DamagedError // packages that are neither installed nor gone
	wrong   error           // why the scan is not complete
	unsure  error           // why there may be packages that are in neither list
}

// look looks at the device.
func (m *machine) look(ctx context.Context) (*sight, error) {
	e := evidence{at: m.Now().UTC()}
	root := m.Root
	if root == "" {
		root = "/"
	}
	res, err := m.Run(ctx, transport.Command{Argv: []string{"sh", "-c", lookScript, "patchflow", root}, MaxStdout: 64 << 20})
	if err != nil {
		return nil, fmt.Errorf("apt: look: %w", err)
	}
	if err := desk.Failed(res); err != nil {
		return nil, fmt.Errorf("apt: look: %w", err)
	}
	if res.StdoutCut > 0 {
		return nil, fmt.Errorf("apt: look: the database of dpkg is too large: %w", patch.ErrPermanent)
	}
	files := make(map[string][]byte)
	rest := res.Stdout
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return nil, errors.New("apt: look: the answer is cut off")
		}
		rest = after
		words := strings.Fields(string(line))
		switch {
		case len(words) == 1 && words[0] == "end" && len(rest) == 0:
			return m.sight(e, files)
		case len(words) == 3 && words[0] == "file":
			n, err := strconv.Atoi(words[2])
			if err != nil || n < 0 || n >= len(rest) || rest[n] != '\n' {
				return nil, fmt.Errorf("apt: look: %s was changed while it was read: %w", words[1], patch.ErrBusy)
			}
			files[words[1]], rest = rest[:n], rest[n+1:]
		case len(words) == 2 && words[0] == "there":
			e.due = e.due || words[1] == "run/reboot-required"
			e.notifier = e.notifier || words[1] != "run/reboot-required"
		default:
			e.updates = append(e.updates, string(line))
		}
	}
}

func (m *machine) sight(e evidence, files map[string][]byte) (*sight, error) {
	e.bootID = strings.TrimSpace(string(files["proc/sys/kernel/random/boot_id"]))
	e.release = func() (Release, error) {
		for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
			if content, ok := files[name]; ok {
				return ReadRelease(bytes.NewReader(content))
			}
		}
		return Release{}, fmt.Errorf("apt: os-release: %w", fs.ErrNotExist)
	}
	e.status = func() (io.ReadCloser, error) {
		content, ok := files["var/lib/dpkg/status"]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	s := &sight{scan: e.scan(inventory.Device{})}
	var software []inventory.Software
	software, s.wrong = e.software()
	if software == nil {
		return s, nil
	}
	var several *multierror.Error
	if errors.As(s.wrong, &several) {
		for _, err := range several.Errors {
			var damaged *DamagedError
			if errors.As(err, &damaged) {
				s.damaged = append(s.damaged, damaged)
			} else if s.unsure == nil {
				s.unsure = err
			}
		}
	} else {
		s.unsure = s.wrong
	}
	for _, name := range []string{"dpkg", "libc6"} {
		for i := range software {
			if software[i].Name == name && software[i].Arch != "all" && s.native == "" {
				s.native = software[i].Arch
			}
		}
	}
	return s, nil
}

func (s *sight) has(name string) bool {
	for i := range s.scan.Software {
		if s.scan.Software[i].Name == name {
			return true
		}
	}
	return false
}

func (s *sight) held(name string) bool {
	for i := range s.scan.Software {
		if s.scan.Software[i].Name == name && s.scan.Software[i].Held {
			return true
		}
	}
	return false
}

// A state is one package on the device.
type state struct {
	name, arch string
	version    version.Version
	held       bool
	damaged    bool
}

// states returns the packages that k is about.
func (s *sight) states(k *patch.Package) []state {
	fits := func(name, arch string) bool {
		free := func(a string) bool { return a == "" || a == "all" || a == "any" || a == "noarch" }
		return name == k.Name && (free(k.Arch) || k.Arch == arch || free(arch) && (s.native == "" || k.Arch == s.native))
	}
	var found []state
	for i := range s.scan.Software {
		p := &s.scan.Software[i]
		if p.Ecosystem == k.Ecosystem && fits(p.Name, p.Arch) {
			found = append(found, state{name: p.Name, arch: p.Arch, version: p.Version, held: p.Held})
		}
	}
	for _, d := range s.damaged {
		if !fits(d.Name, d.Arch) {
			continue
		}
		if v, err := version.Parse(version.Deb, d.Version); err == nil {
			found = append(found, state{name: d.Name, arch: d.Arch, version: v, damaged: true})
		}
	}
	return found
}

// known returns an error if k may be on the device although it is not seen: parts of dpkg's database could not be read.
func (s *sight) known(k *patch.Package) error {
	if s.unsure != nil && len(s.states(k)) == 0 {
		return fmt.Errorf("apt: whether %s is installed is not known: %w: %w", k.Name, s.unsure, patch.ErrCorrupt)
	}
	return nil
}

// A change is one package that is to have another version.
type change struct {
	name, arch string
	from, to   string
	damaged    bool     // it is not whole as it is
	sums       []string // SHA-256 of the files that the content allows; empty if it names none
}

// arg is the change as apt-get takes it.
func (c change) arg() string {
	if c.arch == "all" || c.arch == "" {
		return c.name + "=" + c.to
	}
	return c.name + ":" + c.arch + "=" + c.to
}

// check returns an error if c holds anything that is not to reach a command.
func (c change) check() error {
	var err error
	for _, wrong := range []error{CheckName(c.name), checkArch(c.arch), CheckVersion(c.from), CheckVersion(c.to)} {
		if err == nil {
			err = wrong
		}
	}
	return err
}

// checkContent refuses content with a name or a version that no package has, before anybody looks whether it is needed.
func checkContent(c rollout.Content) error {
	for i := range c.Patches {
		p := &c.Patches[i]
		if len(p.Packages) == 0 {
			return fmt.Errorf("apt: patch %s names no package: %w", p.ID, patch.ErrPermanent)
		}
		for j := range p.Packages {
			k := &p.Packages[j]
			err := CheckName(k.Name)
			if err == nil {
				err = checkArch(k.Arch)
			}
			if err == nil {
				err = CheckVersion(k.Fixed.Text)
			}
			if err != nil {
				return fmt.Errorf("%w (in patch %.100q)", err, p.ID)
			}
		}
	}
	return nil
}

// changes returns what of c the device lacks, a package once. If that is nothing, the error tells why; its class is done.
func (s *sight) changes(c rollout.Content) ([]change, error) {
	if err := checkContent(c); err != nil {
		return nil, err
	}
	if s.scan.Software == nil {
		return nil, fmt.Errorf("%w: %w", s.wrong, patch.ErrCorrupt)
	}
	var changes []change
	idle := patch.ErrNotApplicable
	at := make(map[string]int)
	for i := range c.Patches {
		for j := range c.Patches[i].Packages {
			k := &c.Patches[i].Packages[j]
			if err := s.known(k); err != nil {
				return nil, err
			}
			for _, p := range s.states(k) {
				order, err := version.Compare(p.version, k.Fixed)
				switch {
				case err != nil:
					return nil, fmt.Errorf("apt: package %s: %w: %w", k.Name, err, patch.ErrPermanent)
				case order == 0 && !p.damaged:
					idle = patch.ErrAlreadyInstalled
					continue
				case order > 0:
					if errors.Is(idle, patch.ErrNotApplicable) {
						idle = patch.ErrSuperseded
					}
					continue
				case p.held:
					return nil, fmt.Errorf("apt: package %s is held at %s: %w", p.name, p.version.Text, patch.ErrNeedsUser)
				}
				one := change{name: p.name, arch: p.arch, from: p.version.Text, to: k.Fixed.Text, damaged: p.damaged, sums: sums(k)}
				n, known := at[p.name+":"+p.arch]
				if !known {
					at[p.name+":"+p.arch] = len(changes)
					changes = append(changes, one)
				} else if newer(one.to, changes[n].to) {
					changes[n] = one
				}
			}
		}
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("apt: there is nothing to install: %w", idle)
	}
	for _, one := range changes {
		if err := one.check(); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// sums returns the SHA-256 of the files that k may be.
func sums(k *patch.Package) []string {
	var sums []string
	for _, a := range k.Artefacts {
		if sum, ok := strings.CutPrefix(string(a.Digest), "sha256:"); ok {
			sums = append(sums, strings.ToLower(sum))
		}
	}
	return sums
}

// newer says whether a is a newer version than b.
func newer(a, b string) bool {
	x, err := version.Parse(version.Deb, a)
	if err != nil {
		return false
	}
	y, err := version.Parse(version.Deb, b)
	if err != nil {
		return false
	}
	order, err := version.Compare(x, y)
	return err == nil && order > 0
}
