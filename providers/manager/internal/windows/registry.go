package windows

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// Keys of the registry that tell how a device stands: they are those that Script looks at, and the one that Windows Installer keeps while an
// installation is under way or suspended (what its message 1704 is about).
const (
	session  = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`
	prefetch = session + `\Memory Management\PrefetchParameters`
	names    = `HKLM\SYSTEM\CurrentControlSet\Control\ComputerName`
	current  = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion`
	pending  = current + `\Component Based Servicing\RebootPending`
	required = current + `\WindowsUpdate\Auto Update\RebootRequired`
	progress = current + `\Installer\InProgress`
)

// A Run runs a command on a device, as [manager.Access.Run] does.
type Run func(ctx context.Context, c transport.Command) (transport.Result, error)

// A Key is what stands in a key of the registry.
type Key struct {
	Values map[string]string // as reg.exe writes them, by their names in lower case
	Keys   []string          // the names of the keys below it, in lower case
}

// A Registry is the registry of a device, read by reg.exe in one of its views, of which each key is asked for once. It is not safe for
// concurrent use.
type Registry struct {
	run  Run
	view string
	seen map[string]found
}

type found struct {
	key   Key
	there patch.Tri
}

// OpenRegistry returns the registry of a device, in the view of 64 bits. It does nothing yet.
func OpenRegistry(run Run) *Registry { return &Registry{run, "/reg:64", make(map[string]found)} }

// OpenRegistry32 does the same in the view that programs of 32 bits have.
func OpenRegistry32(run Run) *Registry { return &Registry{run, "/reg:32", make(map[string]found)} }

// Key returns a key, and whether it is there. What reg.exe refuses is not gone: it ends with 1 for that and for what is not there, and tells
// them apart in the language of the device alone. So a key is gone when one above it can be read and does not list it.
func (r *Registry) Key(ctx context.Context, path string) (Key, patch.Tri, error) {
	at := strings.ToLower(path)
	if f, ok := r.seen[at]; ok {
		return f.key, f.there, nil
	}
	var f found
	stdout, there, err := r.query(ctx, path)
	if err == nil && there == patch.Yes {
		f.key, err = readKey(path, stdout)
	}
	if err != nil {
		return Key{}, patch.Unknown, err
	}
	f.there = there
	r.seen[at] = f
	return f.key, f.there, nil
}

// query asks for a key, and says whether it is there.
func (r *Registry) query(ctx context.Context, path string, options ...string) ([]byte, patch.Tri, error) {
	argv := append(append([]string{"reg.exe", "query", path}, options...), r.view)
	res, err := r.run(ctx, transport.Command{Argv: argv, MaxStdout: 8 << 20})
	switch {
	case err != nil:
		return nil, patch.Unknown, fmt.Errorf("reg.exe: %w", err)
	case res.OK() && res.StdoutCut == 0:
		return res.Stdout, patch.Yes, nil
	case res.Ended && res.Code == 1 && res.Signal == "":
		listed, err := r.Has(ctx, path)
		if err != nil || listed != patch.No {
			return nil, patch.Unknown, err
		}
		return nil, patch.No, nil
	}
	return nil, patch.Unknown, fmt.Errorf("reg.exe: %w", ended(res))
}

// Below returns the keys below one, by their names in lower case, with their values and without what is below them, and says whether
// that one is there. They are asked for at once: a device has hundreds of programs.
func (r *Registry) Below(ctx context.Context, path string) (map[string]Key, patch.Tri, error) {
	stdout, there, err := r.query(ctx, path, "/s")
	if err != nil || there != patch.Yes {
		return nil, there, err
	}
	all := make(map[string]Key)
	full := fullPath(path) + `\`
	var in *Key // that of the line
	headed := false
	for line := range strings.Lines(strings.ToValidUTF8(string(stdout), "?")) {
		line = strings.TrimRight(line, "\r\n")
		low := strings.ToLower(line)
		name, isBelow := strings.CutPrefix(low, full)
		switch {
		case low+`\` == full:
			in, headed = nil, true
		case isBelow:
			in, headed = nil, true
			if !strings.Contains(name, `\`) {
				k := Key{Values: make(map[string]string)}
				in, all[name] = &k, k
			}
		case in != nil:
			in.value(line)
		}
	}
	if !headed && len(bytes.TrimSpace(stdout)) > 0 {
		return nil, patch.Unknown, noAnswer(stdout, path)
	}
	return all, patch.Yes, nil
}

// fullPath writes a path as reg.exe does, in lower case.
func fullPath(path string) string {
	return strings.ToLower(strings.Replace(path, `HKLM\`, `HKEY_LOCAL_MACHINE\`, 1))
}

func noAnswer(stdout []byte, path string) error {
	return fmt.Errorf("reg.exe: %.100q is no answer for %s: %w", bytes.TrimSpace(stdout), path, patch.ErrCorrupt)
}

// value takes up a line that holds a value. One that holds none is part of data of several lines.
func (k *Key) value(line string) {
	if !strings.HasPrefix(line, "    ") {
		return
	}
	name, data, ok := strings.Cut(line[4:], "    REG_")
	if !ok {
		return
	}
	_, data, _ = strings.Cut(data, "    ")
	k.Values[strings.ToLower(name)] = data
}

func ended(res transport.Result) error {
	if res.OK() {
		return fmt.Errorf("the output is too long: %w", patch.ErrPermanent)
	}
	return desk.Failed(res)
}

// Has says whether there is a key, by what the key above it lists. Of the hives themselves that is not known.
func (r *Registry) Has(ctx context.Context, path string) (patch.Tri, error) {
	end := strings.LastIndexByte(path, '\\')
	if strings.Count(path, `\`) < 2 {
		return patch.Unknown, nil
	}
	above, there, err := r.Key(ctx, path[:end])
	if err != nil || there != patch.Yes {
		return there, err
	}
	name := strings.ToLower(path[end+1:])
	for _, k := range above.Keys {
		if k == name {
			return patch.Yes, nil
		}
	}
	return patch.No, nil
}

// readKey reads what "reg query" prints of one key: the key, its values, each as "    name    REG_TYPE    data", and the paths of the keys
// below it. A key with nothing in it prints nothing. Other lines belong to data of several lines.
func readKey(path string, stdout []byte) (Key, error) {
	k := Key{Values: make(map[string]string)}
	full := fullPath(path)
	headed := false
	for line := range strings.Lines(strings.ToValidUTF8(string(stdout), "?")) {
		line = strings.TrimRight(line, "\r\n")
		low := strings.ToLower(line)
		below, isBelow := strings.CutPrefix(low, full+`\`)
		switch {
		case low == full:
			headed = true
		case isBelow:
			headed = true
			k.Keys = append(k.Keys, below)
		default:
			k.value(line)
		}
	}
	if !headed && len(bytes.TrimSpace(stdout)) > 0 {
		return Key{}, noAnswer(stdout, path)
	}
	return k, nil
}

// State says how the device stands by its registry alone, for devices without PowerShell. What cannot be told is left out: a boot that is
// not counted is "".
func (r *Registry) State(ctx context.Context) (System, error) {
	var s System
	k, _, err := r.Key(ctx, prefetch)
	if err != nil {
		return System{}, err
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(k.Values["bootid"], "0x"), 16, 32); err == nil {
		s.Boot = strconv.FormatUint(n, 10) // as PowerShell writes it: a device keeps its boot when it gets PowerShell
	}
	due, err := r.due(ctx)
	if err != nil {
		return System{}, err
	}
	at, err := r.installing(ctx)
	if err != nil {
		return System{}, err
	}
	s.Restart, s.Installing = known(due), at.Installing
	return s, nil
}

// installing says whether Windows Installer is at work, and nothing else.
func (r *Registry) installing(ctx context.Context) (System, error) {
	there, err := r.Has(ctx, progress)
	return System{Installing: known(there)}, err
}

// due says whether a restart is due. One sign is enough; that there is none is known only if all could be looked at.
func (r *Registry) due(ctx context.Context) (patch.Tri, error) {
	all := patch.No
	note := func(t patch.Tri) {
		if t == patch.Yes || t == patch.Unknown && all == patch.No {
			all = t
		}
	}
	for _, path := range []string{pending, required} {
		t, err := r.Has(ctx, path)
		if err != nil {
			return patch.Unknown, err
		}
		note(t)
	}
	s, there, err := r.Key(ctx, session)
	if err != nil {
		return patch.Unknown, err
	}
	_, renames := s.Values["pendingfilerenameoperations"]
	switch {
	case renames:
		note(patch.Yes)
	case there != patch.Yes:
		note(patch.Unknown)
	}
	called, _, err := r.Below(ctx, names)
	if err != nil {
		return patch.Unknown, err
	}
	is, becomes := called["activecomputername"].Values["computername"], called["computername"].Values["computername"]
	switch {
	case is == "" || becomes == "":
		note(patch.Unknown)
	case !strings.EqualFold(is, becomes):
		note(patch.Yes)
	}
	return all, nil
}

// known returns nil for what is not known.
func known(t patch.Tri) *bool {
	if t == patch.Unknown {
		return nil
	}
	yes := t == patch.Yes
	return &yes
}
