// Package flatpak patches devices that have Flatpak.
//
// A package is an application or a runtime of one branch: "org.test.Hello:stable". Its version is a commit of OSTree with its time, see
// [version.OSTree]: that is what Flatpak installs exactly, while the text that publishers call version stands on several. "flatpak
// remote-info --log REMOTE REF" shows both. The SHA-256 of content is that of the commit, which is its name; it covers every file.
//
// Of a task nothing is updated but what its content names: neither the runtime of an application nor its locales and other extensions, which
// have versions of their own and belong into the content. Flatpak has no dry run: what would be done is taken from what the
// remote says about the commit, above all its time and the runtime that it needs. One that is not there is installed only with
// [manager.Config.Additions], at the version that the remote offers.
//
// Packages are held by "flatpak mask", and what others have masked is held too. The commit that is replaced is kept in Flatpak's own repository on the
// device, the last three of each package, and Rollback deploys it from there without a network. What was altered after it was
// installed is not seen, but that the command of an application is gone; "flatpak repair", which reads everything, is what Repair calls.
// Whether a restart is due is not known: Flatpak has none.
//
// The system's installation is worked on, or with [manager.Device] User that of the user. It was tested with Flatpak 1.14.
package flatpak

import (
	"context"
	"fmt"
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

// What Flatpak is called in an inventory, and its ecosystem.
const (
	Manager   = "flatpak"
	Ecosystem = "flatpak"
)

// New returns the fleet of c, whose devices have Flatpak. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run flatpak and sh.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: Manager, Scheme: version.OSTree, Words: words{},
		Open: func(m *manager.Access) manager.Tool { return &machine{Access: m} }})
}

// words are those of the grammar, of which an identifier has three parts at least and a branch stands behind the only colon.
type words struct{}

// CheckName implements [manager.Words].
func (words) CheckName(name string) error {
	id, branch, _ := strings.Cut(name, ":")
	parts := strings.Split(id, ".")
	sound := len(parts) >= 3 && branch != "" && !strings.ContainsAny(branch[:1], ".-:") && !strings.Contains(branch, ":")
	for _, part := range parts {
		sound = sound && part != "" && !strings.ContainsAny(part[:1], "-0123456789")
	}
	if err := grammar.Flatpak().CheckName(name); err != nil || sound {
		return err
	}
	return fmt.Errorf("flatpak: %.60q is no name of a package, as org.example.App:stable is: %w", name, patch.ErrPermanent)
}

// CheckVersion implements [manager.Words].
func (words) CheckVersion(v string) error {
	err := grammar.Flatpak().CheckVersion(v)
	if err == nil {
		if _, wrong := version.Parse(version.OSTree, v); wrong != nil {
			err = fmt.Errorf("flatpak: %w: %w", wrong, patch.ErrPermanent)
		}
	}
	return err
}

// CheckArch implements [manager.Words].
func (words) CheckArch(arch string) error { return grammar.Flatpak().CheckArch(arch) }

// A machine is a device and how to work on it.
type machine struct {
	*manager.Access
	seen   *state // by the last look
	beside []ref  // what the last plan would install that is not there
}

var (
	_ manager.Tool     = (*machine)(nil)
	_ manager.Fetcher  = (*machine)(nil)
	_ manager.Keeper   = (*machine)(nil)
	_ manager.Repairer = (*machine)(nil)
	_ manager.Prover   = (*machine)(nil)
	_ manager.Holder   = (*machine)(nil)
)

// scope says which installation is worked on.
func (m *machine) scope() string {
	if m.User() {
		return "--user"
	}
	return "--system"
}

// run runs flatpak, and classifies how it has ended.
func (m *machine) run(ctx context.Context, verb string, args ...string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"flatpak", verb, m.scope()}, args...), MaxStdout: 8 << 20, MaxStderr: 1 << 20})
	if err == nil {
		err = Classify(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("the output of flatpak %s is too long: %w", verb, patch.ErrPermanent)
	}
	return res, err
}

// script runs a script with the scope and the root folder before args, and returns what it prints.
func (m *machine) script(ctx context.Context, script string, stdin []byte, args ...string) (string, error) {
	res, err := m.Script(ctx, script, stdin, append([]string{m.scope(), m.Root()}, args...)...)
	if err == nil {
		err = desk.Failed(res)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// installed returns what is on the device of a package.
func (m *machine) installed(ctx context.Context, name, arch string) (*ref, error) {
	if m.seen == nil {
		if _, err := m.look(ctx); err != nil {
			return nil, err
		}
	}
	for i := range m.seen.refs {
		r := &m.seen.refs[i]
		if a, b := r.name(); a == name && b == arch {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s is not installed: %w", name, patch.ErrNotApplicable)
}

// alone are the options by which nothing but what is named is changed, and nothing asked.
func alone(more ...string) []string {
	return append([]string{"--noninteractive", "--assumeyes", "--no-deps", "--no-related"}, more...)
}

const recallScript = `cat "$3" 2>/dev/null
:`

// memory is where it stands what a commit needs: its remote may be away when it is deployed.
func (m *machine) memory(v string) string { return m.Folder() + "/flatpak/" + commit(v) }

// tell returns what a commit of r is, by what is remembered and else by its remote.
func (m *machine) tell(ctx context.Context, r *ref, v string) (ref, error) {
	line, err := m.script(ctx, recallScript, nil, m.memory(v))
	if err != nil {
		return ref{}, err
	}
	if at, runtime, _ := strings.Cut(line, " "); at == v {
		return ref{path: r.path, origin: r.origin, version: v, runtime: runtime}, nil
	}
	res, err := m.run(ctx, "remote-info", "--commit="+commit(v), "--", r.origin, r.path)
	if err != nil {
		// An index of commits there is none: what the remote does not have it does not offer.
		if said := err.Error(); strings.Contains(said, "status 404") || strings.Contains(said, commit(v)[2:]+".commit: No such file") {
			err = fmt.Errorf("%w: %w: %w", err, manager.ErrNotOffered, patch.ErrPermanent)
		}
		return ref{}, err
	}
	told, err := readInfo(res.Stdout)
	switch {
	case err != nil:
		return ref{}, err
	case told.path != r.path || commit(told.version) != commit(v):
		return ref{}, fmt.Errorf("the remote %s tells about %.200q instead of %s: %w", r.origin, told.path, r.path, patch.ErrUntrusted)
	case told.version != v:
		return ref{}, fmt.Errorf("the commit is of another time, %s: %w", told.version, patch.ErrPermanent)
	}
	told.origin = r.origin
	return told, nil
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	m.beside = nil
	var moves []manager.Move
	for _, c := range j.Changes {
		r, err := m.installed(ctx, c.Name, c.Arch)
		if err != nil {
			return nil, err
		}
		if j.Back {
			if there, err := m.has(ctx, c.To); err != nil {
				return nil, err
			} else if !there {
				return nil, fmt.Errorf("%s: the device does not have the commit %s any more: %w", c.Name, commit(c.To), patch.ErrPermanent)
			}
		}
		told, err := m.tell(ctx, r, c.To)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		moves = append(moves, manager.Move{Name: c.Name, Arch: c.Arch, From: r.version, To: told.version})
		if told.runtime == "" {
			continue
		}
		more, err := m.needed(ctx, r.origin, "runtime/"+told.runtime)
		if err != nil {
			return nil, fmt.Errorf("%s needs %s: %w", c.Name, told.runtime, err)
		}
		moves = append(moves, more...)
	}
	return moves, nil
}

// needed returns what would be installed so that a runtime is there.
func (m *machine) needed(ctx context.Context, origin, path string) ([]manager.Move, error) {
	r, err := readRef(path)
	if err != nil {
		return nil, err
	}
	for _, there := range append(m.seen.refs, m.beside...) {
		if there.path == path {
			return nil, nil
		}
	}
	res, err := m.run(ctx, "remote-info", "--", origin, path)
	if err != nil {
		return nil, err
	}
	told, err := readInfo(res.Stdout)
	if err == nil && told.path != path {
		err = fmt.Errorf("the remote %s tells about %.200q instead: %w", origin, told.path, patch.ErrUntrusted)
	}
	if err != nil {
		return nil, err
	}
	told.origin = origin
	m.beside = append(m.beside, told)
	name, arch := r.name()
	return []manager.Move{{Name: name, Arch: arch, To: told.version}}, nil
}

// Refresh implements [manager.Fetcher]: of the remotes that something is installed from. There is no index of commits; that of applications is
// fetched so that a remote that is away or cannot be trusted is noticed.
func (m *machine) Refresh(ctx context.Context) error {
	s, err := m.look(ctx)
	if err != nil {
		return err
	}
	done := make(map[string]bool)
	for i := range s.refs {
		origin := s.refs[i].origin
		if done[origin] {
			continue
		}
		done[origin] = true
		if _, err := m.run(ctx, "remote-ls", "--columns=ref", "--", origin); err != nil {
			return fmt.Errorf("remote %s: %w", origin, err)
		}
	}
	return nil
}

const hasScript = place + `f=$(printf '%s' "$3" | cut -c 1-2)/$(printf '%s' "$3" | cut -c 3-)
if [ -s "$dir/repo/objects/$f.commit" ] && [ ! -e "$dir/repo/state/$3.commitpartial" ]; then echo yes; else echo no; fi`

// has says whether a commit is in the device's own repository, with all its files.
func (m *machine) has(ctx context.Context, v string) (bool, error) {
	said, err := m.script(ctx, hasScript, nil, commit(v))
	return said == "yes", err
}

const rememberScript = `umask 022
mkdir -p "${3%/*}" && take "$3.new" && mv "$3.new" "$3" || exit 1
cd "${3%/*}" && ls -t | tail -n +200 | while IFS= read -r f; do rm -f -- "$f"; done`

// bring fetches a commit into the device's own repository, and remembers what it needs.
func (m *machine) bring(ctx context.Context, name, arch, v string) error {
	r, err := m.installed(ctx, name, arch)
	if err != nil {
		return err
	}
	told, err := m.tell(ctx, r, v)
	if err != nil {
		return err
	}
	there, err := m.has(ctx, v)
	if err == nil && !there {
		if _, err = m.run(ctx, "update", alone("--no-deploy", "--commit="+commit(v), "--", r.path)...); err == nil {
			there, err = m.has(ctx, v)
		}
		if err == nil && !there { // as of what is masked, or of a remote that is disabled
			err = fmt.Errorf("flatpak has ended well and not fetched it: %w", patch.ErrPermanent)
		}
	}
	if err == nil {
		_, err = m.script(ctx, rememberScript, []byte(strings.TrimSpace(v+" "+told.runtime)+"\n"), m.memory(v))
	}
	return err
}

// Download implements [manager.Fetcher]. Signatures and hashes are looked at by Flatpak when it fetches.
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	for i := range m.beside {
		r := &m.beside[i]
		if _, err := m.run(ctx, "install", alone("--no-deploy", "--", r.origin, r.path)...); err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
	}
	for _, c := range changes {
		if err := m.bring(ctx, c.Name, c.Arch, c.To); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// Sum implements [manager.Summer]: the name of a commit is the SHA-256 of it.
func (m *machine) Sum(_ context.Context, c manager.Change) (string, error) { return commit(c.To), nil }

// A ref of the repository keeps a commit and its files. The three that were used last are enough to go back.
const keepScript = place + `d=$dir/repo/refs/heads/patchflow/$3
umask 022
mkdir -p "$d" && printf '%s\n' "$4" >"$dir/repo/tmp/patchflow-$4" && mv "$dir/repo/tmp/patchflow-$4" "$d/$4" || exit 1
cd "$d" && ls -t | tail -n +4 | while IFS= read -r f; do rm -f -- "$f"; done`

// Keep implements [manager.Keeper].
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	r, err := m.installed(ctx, c.Name, c.Arch)
	if err != nil {
		return err
	}
	there, err := m.has(ctx, c.From)
	switch {
	case err != nil:
		return err
	case there && r.version == c.From:
		_, err = m.script(ctx, rememberScript, []byte(strings.TrimSpace(c.From+" "+r.runtime)+"\n"), m.memory(c.From))
	default:
		err = m.bring(ctx, c.Name, c.Arch, c.From)
	}
	if err == nil {
		_, err = m.script(ctx, keepScript, nil, r.path, commit(c.From))
	}
	return err
}

// What is deployed without fetching is what the repository holds for the newest of the remote.
const pointScript = place + `f=$dir/repo/refs/remotes/$3/$4
[ "$(cat "$f" 2>/dev/null)" = "$5" ] && exit 0
umask 022
mkdir -p "${f%/*}" && printf '%s\n' "$5" >"$dir/repo/tmp/patchflow-$5" && mv "$dir/repo/tmp/patchflow-$5" "$f"`

// Carry implements [manager.Tool]: it fetches nothing.
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	for i := range m.beside {
		r := &m.beside[i]
		if _, err := m.run(ctx, "install", alone("--no-pull", "--", r.origin, r.path)...); err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
	}
	for _, c := range j.Changes {
		r, err := m.installed(ctx, c.Name, c.Arch)
		if err == nil {
			_, err = m.script(ctx, pointScript, nil, r.origin, r.path, commit(c.To))
		}
		if err == nil {
			_, err = m.run(ctx, "update", alone("--no-pull", "--commit="+commit(c.To), "--", r.path)...)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

const alteredScript = place + `a=$dir/$3/active
[ -d "$a/files" ] || { echo "$3 has no files"; exit 0; }
case $3 in app/*) ;; *) exit 0 ;; esac
c=$(sed -n 's/^command=//p' "$a/metadata" | head -n 1)
case $c in */* | "") exit 0 ;; esac
[ -x "$a/files/bin/$c" ] || [ -h "$a/files/bin/$c" ] || echo "the command of $3 is missing"`

// Altered implements [manager.Prover].
func (m *machine) Altered(ctx context.Context, changes []manager.Change) (string, error) {
	for _, c := range changes {
		r, err := m.installed(ctx, c.Name, c.Arch)
		if err != nil {
			return "", err
		}
		if said, err := m.script(ctx, alteredScript, nil, r.path); err != nil || said != "" {
			return said, err
		}
	}
	return "", nil
}

// Hold implements [manager.Holder]. What somebody else has masked by another pattern is not ours to change.
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	for _, name := range names {
		id, branch, _ := strings.Cut(name, ":")
		args := []string{"--", id + "//" + branch}
		if !held {
			args = append([]string{"--remove"}, args...)
		}
		if done, err := m.marked(ctx, name, held); err != nil {
			return err
		} else if done {
			continue
		}
		if _, err := m.run(ctx, "mask", args...); err != nil {
			return err
		}
		if done, err := m.marked(ctx, name, held); err != nil {
			return err
		} else if !done {
			return fmt.Errorf("%s is masked by another pattern: %w", name, patch.ErrNeedsUser)
		}
	}
	return nil
}

// marked says whether all architectures of a package are held, or none is.
func (m *machine) marked(ctx context.Context, name string, held bool) (bool, error) {
	s, err := m.look(ctx)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(s.refs, func(r ref) bool {
		one, _ := r.name()
		return one == name && masks(s.masks, &r) != held
	}), nil
}

// A package whose folder is gone is deployed again, where the repository of the device still has the commit, and then Flatpak looks
// through everything. What it cannot mend the next look shows.
const repairScript = place + `for active in "$dir"/app/*/*/*/active "$dir"/runtime/*/*/*/active; do
  [ -h "$active" ] || continue
  ref=${active#"$dir"/}
  ref=${ref%/active}
  flatpak info "$1" "$ref" >/dev/null 2>&1 && continue
  for r in "$dir"/repo/refs/remotes/*/"$ref"; do
    [ -f "$r" ] || continue
    origin=${r#"$dir/repo/refs/remotes/"}
    readlink "$active" >"$dir/repo/tmp/patchflow-again" && mv "$dir/repo/tmp/patchflow-again" "$r" || exit 1
    flatpak install "$1" --noninteractive --assumeyes --no-deps --no-related --no-pull "${origin%%/*}" "$ref" >&2
  done
done
flatpak repair "$1" >&2
:`

// Repair implements [manager.Repairer].
func (m *machine) Repair(ctx context.Context) error {
	_, err := m.script(ctx, repairScript, nil)
	m.seen = nil
	return err
}

// busyScript looks for programs of Flatpak that change an installation. A folder is told apart from that of the system by what they were started
// with.
const busyScript = place + `for p in /proc/[0-9]*; do
  read -r n <"$p/comm" || continue
  [ "$n" = flatpak ] || continue
  what=$(tr '\0' '\n' <"$p/cmdline" | sed 1d | grep -v '^-' | head -n 1)
  case $what in install | update | upgrade | uninstall | remove | repair | mask) ;; *) continue ;; esac
  if [ -z "$2" ] || tr '\0' '\n' <"$p/environ" | grep -qxF -e "FLATPAK_SYSTEM_DIR=$dir" -e "FLATPAK_USER_DIR=$dir"; then
    echo "flatpak $what of process ${p#/proc/} works with it"
    exit 0
  fi
done 2>/dev/null
echo free`

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error {
	return m.Wait(ctx, func() error {
		said, err := m.script(ctx, busyScript, nil)
		if err == nil && said != "free" {
			err = fmt.Errorf("flatpak: %s: %w", said, patch.ErrBusy)
		}
		return err
	})
}

// Classify returns an error for a command of flatpak, in the C locale, that has not ended with 0. Its class, see [patch.FaultOf], is
// that of what it says, and transient where nothing is known: flatpak ends with 1 whatever has happened.
//
// That flatpak has ended with 0 does not say that it has done anything.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	return signs.Classify(r, signs.Flatpak(), r.Stderr)
}
