package flatpak

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
)

// place finds the folder of an installation: the scope is $1, the root folder of the system $2.
const place = `case $1 in
--user) dir=${FLATPAK_USER_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/flatpak} ;;
*) dir=${FLATPAK_SYSTEM_DIR:-$2/var/lib/flatpak} ;;
esac
`

// What flatpak itself prints has a blank before it, so that no title of a commit is taken for a line of the script.
const lookScript = place + `command -v flatpak >/dev/null || { echo "flatpak: not found" >&2; exit 127; }
if [ -d "$dir/repo" ]; then
  for active in "$dir"/app/*/*/*/active "$dir"/runtime/*/*/*/active; do
    [ -h "$active" ] || continue
    ref=${active#"$dir"/}
    ref=${ref%/active}
    said=$(flatpak info "$1" "$ref" 2>&1)
    echo "ref $? $ref"
    printf '%s\n' "$said" | sed 's/^/ /'
  done
  said=$(flatpak mask "$1" 2>&1)
  echo "masks $?"
  printf '%s\n' "$said" | sed 's/^/ /'
fi
echo end`

// A ref is an application or a runtime that is installed, or a commit of it.
type ref struct {
	path    string // "app/org.test.Hello/x86_64/stable"
	origin  string // the remote that it is from
	version string // of scheme "ostree"
	runtime string // which an application needs, "org.test.Platform/x86_64/1"; "" for a runtime
}

// name returns what a package is called, and its architecture.
func (r *ref) name() (name, arch string) {
	parts := strings.Split(r.path, "/")
	return parts[1] + ":" + parts[3], parts[2]
}

// commit returns the commit of a version.
func commit(v string) string {
	_, commit, _ := strings.Cut(v, "-")
	return commit
}

// readRef checks the path of a ref.
func readRef(path string) (ref, error) {
	parts := strings.Split(path, "/")
	if len(parts) == 4 && (parts[0] == "app" || parts[0] == "runtime") && strings.Count(parts[1]+parts[3], ":") == 0 {
		r := ref{path: path}
		name, arch := r.name()
		if arch != "" && (words{}).CheckName(name) == nil && (words{}).CheckArch(arch) == nil {
			return r, nil
		}
	}
	return ref{}, fmt.Errorf("flatpak: %.200q is no application and no runtime: %w", path, patch.ErrRecord)
}

// readInfo reads what "flatpak info" and "flatpak remote-info" print. The title of a commit, in which anything may stand, is between
// its name and its time: the first line of one and the last of the other count.
func readInfo(text []byte) (r ref, err error) {
	var name, at string
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		value = strings.TrimSpace(value)
		switch {
		case !found:
		case key == "Date":
			at = value
		case name != "":
		case key == "Commit", key == "Active commit": // beside "Latest commit", where that is another one
			name = value
		case key == "Ref":
			r.path = value
		case key == "Origin":
			r.origin = value
		case key == "Runtime":
			r.runtime = value
		}
	}
	when, err := time.Parse("2006-01-02 15:04:05 -0700", at)
	if err != nil {
		return ref{}, fmt.Errorf("flatpak: the time %.60q is not understood: %w", at, patch.ErrRecord)
	}
	r.version = when.UTC().Format("20060102T150405Z") + "-" + name
	if _, err := version.Parse(version.OSTree, r.version); err != nil {
		return ref{}, fmt.Errorf("flatpak: %w: %w", err, patch.ErrRecord)
	}
	if r.runtime != "" {
		if _, err := readRef("runtime/" + r.runtime); err != nil {
			return ref{}, err
		}
	}
	return r, nil
}

// A state is what lookScript has printed.
type state struct {
	refs   []ref
	masks  []string
	wrong  *multierror.Error // those that are not understood, or not whole
	closed error             // the repository cannot be opened; there is nothing else then
}

// readLook reads what lookScript prints.
func readLook(text []byte) (*state, error) {
	var s state
	rest := text
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if string(line) == "end" && len(after) == 0 {
			return &s, nil
		}
		var said []byte
		for bytes.HasPrefix(after, []byte(" ")) {
			one, more, _ := bytes.Cut(after[1:], []byte("\n"))
			said, after = append(append(said, one...), '\n'), more
		}
		kind, more, _ := strings.Cut(string(line), " ")
		code, name, _ := strings.Cut(more, " ")
		switch {
		case kind == "ref":
			s.take(name, code == "0", said)
		case kind == "masks" && code == "0":
			s.masks = readMasks(said)
		case kind == "masks" && bytes.Contains(said, []byte("opening repo")):
			s.closed = fmt.Errorf("flatpak: mask: %s: %w", desk.LastLine(said), patch.ErrCorrupt)
		case kind == "masks":
			return nil, fmt.Errorf("flatpak: look: what is held is not known: %s", desk.LastLine(said))
		default:
			return nil, fmt.Errorf("flatpak: look: the line %.100q is not understood: %w", line, patch.ErrPermanent)
		}
		rest = after
	}
	return nil, fmt.Errorf("flatpak: look: what is installed is cut off")
}

// take takes in what "flatpak info" says of a ref.
func (s *state) take(name string, whole bool, said []byte) {
	r, err := readRef(name)
	if err == nil && !whole {
		err = fmt.Errorf("flatpak: %s: %.200s: %w", name, desk.LastLine(said), patch.ErrCorrupt)
		if bytes.Contains(said, []byte("opening repo")) {
			s.closed = err
			return
		}
	}
	var info ref
	if err == nil {
		info, err = readInfo(said)
	}
	switch {
	case err != nil:
	case info.origin == "" || strings.Trim(info.origin[:1], "-.") == "" || strings.ContainsAny(info.origin, "/\x00 "):
		err = fmt.Errorf("flatpak: %s: the remote %.60q is not understood: %w", name, info.origin, patch.ErrRecord)
	case info.path != r.path:
		err = fmt.Errorf("flatpak: %s: it says that it is %.200q: %w", name, info.path, patch.ErrRecord)
	case slices.ContainsFunc(s.refs, func(o ref) bool {
		a, x := o.name()
		b, y := r.name()
		return a == b && x == y
	}):
		err = fmt.Errorf("flatpak: %s: there is an application and a runtime that are called so: %w", name, patch.ErrRecord)
	}
	if err != nil {
		s.wrong = multierror.Append(s.wrong, err)
		return
	}
	s.refs = append(s.refs, info)
}

// readMasks reads patterns of "flatpak mask": a line each, with blanks before it.
func readMasks(said []byte) []string {
	var patterns []string
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, " ") {
			patterns = append(patterns, strings.TrimSpace(line))
		}
	}
	return patterns
}

// masks says whether patterns of "flatpak mask" hold a ref. Parts that a pattern leaves out, at its end or between two slashes, are any.
func masks(patterns []string, r *ref) bool {
	parts := strings.Split(r.path, "/")
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		wanted := strings.Split(pattern, "/")
		if wanted[0] != "app" && wanted[0] != "runtime" {
			wanted = append([]string{""}, wanted...)
		}
		for i, one := range wanted {
			if i >= len(parts) {
				return false
			}
			if fits, err := path.Match(one, parts[i]); one != "" && (err != nil || !fits) {
				return false
			}
		}
		return true
	})
}

// look asks the device what is installed.
func (m *machine) look(ctx context.Context) (*state, error) {
	res, err := m.Script(ctx, lookScript, nil, m.scope(), m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("it is too much: %w", patch.ErrPermanent)
	}
	if err != nil {
		return nil, fmt.Errorf("flatpak: look: %w", err)
	}
	s, err := readLook(res.Stdout)
	if err == nil {
		m.seen = s
	}
	return s, err
}

// Look implements [manager.Tool].
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	at := m.Now().UTC()
	boot, err := m.Boot(ctx)
	if err != nil {
		return nil, fmt.Errorf("flatpak: look: %w", err)
	}
	s, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	cover := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: at}
	sight := &manager.Sight{Scan: inventory.Scan{At: at, BootID: boot}}
	switch {
	case s.closed != nil:
		sight.Wrong = s.closed
		cover.Status, cover.Detail = inventory.Failed, s.closed.Error()
	case s.wrong.ErrorOrNil() != nil:
		sight.Wrong, sight.Unsure = s.wrong, s.wrong.Errors[0]
		cover.Status, cover.Detail = inventory.Partial, s.wrong.Errors[0].Error()
	}
	sight.Scan.Coverage = []inventory.Coverage{cover}
	if s.closed != nil {
		return sight, nil
	}
	sight.Scan.Software = []inventory.Software{}
	for i := range s.refs {
		r := &s.refs[i]
		name, arch := r.name()
		v := version.Version{Scheme: version.OSTree, Text: r.version}
		held := masks(s.masks, r)
		sight.Scan.Software = append(sight.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: Ecosystem, Name: name, Arch: arch, Version: v, Held: held})
		sight.Packages = append(sight.Packages, manager.State{Name: name, Arch: arch, Ecosystem: Ecosystem, Version: v, Held: held})
	}
	return sight, nil
}
