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
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

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

// Look implements [manager.Tool].
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	e := evidence{at: m.Now().UTC()}
	root := m.Root()
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
			return sight(e, files), nil
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

func sight(e evidence, files map[string][]byte) *manager.Sight {
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
	s := &manager.Sight{Scan: e.scan(inventory.Device{})}
	var software []inventory.Software
	software, s.Wrong = e.software()
	if software == nil {
		return s
	}
	for i := range software {
		p := &software[i]
		s.Packages = append(s.Packages, manager.State{Name: p.Name, Arch: p.Arch, Ecosystem: p.Ecosystem, Version: p.Version, Held: p.Held})
	}
	for _, d := range damaged(s.Wrong) {
		if v, err := version.Parse(version.Deb, d.Version); err == nil {
			release, _ := e.release()
			s.Packages = append(s.Packages, manager.State{Name: d.Name, Arch: d.Arch, Ecosystem: release.Ecosystem(), Version: v, Damaged: true})
		} else if s.Unsure == nil {
			s.Unsure = d
		}
	}
	var several *multierror.Error
	if errors.As(s.Wrong, &several) {
		for _, err := range several.Errors {
			var d *DamagedError
			if !errors.As(err, &d) && s.Unsure == nil {
				s.Unsure = err
			}
		}
	} else if s.Unsure == nil {
		s.Unsure = s.Wrong
	}
	for _, name := range []string{"dpkg", "libc6"} {
		for i := range software {
			if software[i].Name == name && software[i].Arch != "all" && s.Native == "" {
				s.Native = software[i].Arch
			}
		}
	}
	return s
}

// damaged returns the packages that are neither installed nor gone.
func damaged(err error) (all []*DamagedError) {
	var several *multierror.Error
	if errors.As(err, &several) {
		for _, err := range several.Errors {
			var d *DamagedError
			if errors.As(err, &d) {
				all = append(all, d)
			}
		}
	}
	return all
}
