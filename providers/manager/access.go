package manager

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// An Access is a device that a [Tool] works on.
type Access struct {
	Config // of the fleet
	kind   *Kind
	device desk.Device
	book   desk.Book
}

// Run runs a command on the device, with the rights of root unless the device is one of a user. Its words are those of the
// C locale, and it asks no questions.
func (m *Access) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	return m.device.Run(ctx, c)
}

// Script runs a constant script for sh(1), with args as $1 and so on, which the shell does not look into.
func (m *Access) Script(ctx context.Context, script string, stdin []byte, args ...string) (transport.Result, error) {
	return m.device.Script(ctx, script, stdin, args...)
}

// Root is the root folder of the device without a slash at its end: "" for the system that runs.
func (m *Access) Root() string { return m.device.Root }

// User says whether the root folder is a user's: commands run without the rights of root.
func (m *Access) User() bool { return m.device.User }

const filesScript = `root=$1
shift
for f; do
  if [ -e "$root/$f" ]; then
    n=$(wc -c <"$root/$f") || exit 1
    echo "$f" $n
    cat "$root/$f" || exit 1
    echo
  fi
done
echo end`

// Files returns what files below the root folder hold, by their names, which have no blanks. Those that are not there are left out. The error wraps
// [patch.ErrBusy] if one was changed while it was read.
func (m *Access) Files(ctx context.Context, names ...string) (map[string][]byte, error) {
	res, err := m.Script(ctx, filesScript, nil, append([]string{m.Root()}, names...)...)
	if err == nil {
		err = desk.Failed(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("they are too large: %w", patch.ErrPermanent)
	}
	files := make(map[string][]byte)
	for rest := res.Stdout; err == nil; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if string(line) == "end" && len(after) == 0 {
			return files, nil
		}
		name, size, _ := strings.Cut(string(line), " ")
		n, wrong := strconv.Atoi(strings.TrimSpace(size))
		if wrong != nil || n < 0 || n >= len(after) || after[n] != '\n' {
			err = fmt.Errorf("%.100s was changed while it was read: %w", name, patch.ErrBusy)
			break
		}
		files[name], rest = after[:n], after[n+1:]
	}
	return nil, fmt.Errorf("read: %w", err)
}

const bootScript = `f=$1/proc/sys/kernel/random/boot_id
if [ -r "$f" ]; then cat "$f"; elif [ -z "$1" ] && command -v sysctl >/dev/null; then sysctl -n kern.bootsessionuuid; fi
:`

// Boot returns what Linux and macOS tell their boot apart by, and "" if the device does not tell it.
func (m *Access) Boot(ctx context.Context) (string, error) {
	res, err := m.Script(ctx, bootScript, nil, m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

// Folder is where packages are kept on the device.
func (m *Access) Folder() string { return m.device.Folder() + "/kept" }

// Kept is where the file of a package is kept.
func (m *Access) Kept(name, version, arch string) string {
	return m.Folder() + "/" + name + "_" + strings.ReplaceAll(version, ":", "%3a") + "_" + arch + m.kind.Suffix
}

const keptScript = `umask 077
to=$1
shift
mkdir -p "${to%/*}" || exit 1
if [ -s "$to" ]; then touch "$to"; echo kept; exit 0; fi
for f; do
  if [ -s "$f" ]; then
    cp "$f" "$to.new" && mv "$to.new" "$to" && echo kept
    exit
  fi
done
echo none`

// Keep copies the first of files that is there to [Access.Kept], and says whether a file is kept there now.
func (m *Access) Keep(ctx context.Context, c Change, files ...string) (bool, error) {
	res, err := m.Script(ctx, keptScript, nil, append([]string{m.Kept(c.Name, c.From, c.Arch)}, files...)...)
	if err == nil {
		err = desk.Failed(res)
	}
	return err == nil && strings.TrimSpace(string(res.Stdout)) == "kept", err
}

// The three that were used last are enough to go back.
const pruneScript = `cd "$1" 2>/dev/null || exit 0
ls -t -- "$2"_*_"$3" 2>/dev/null | tail -n +4 | while IFS= read -r f; do rm -f -- "$f"; done`

func (m *Access) prune(ctx context.Context, c Change) {
	if m.kind.Suffix == "" {
		return
	}
	_, _ = m.Script(ctx, pruneScript, nil, m.Folder(), c.Name, c.Arch+m.kind.Suffix)
}

// note writes down what changes replace, before they do.
func (m *Access) note(ctx context.Context, changes []Change) error {
	var lines strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&lines, "%s %s %s %s\n", c.Name, orDash(c.Arch), c.From, c.To)
	}
	return m.wrap("undo", m.book.Note(ctx, []byte(lines.String())))
}

// orDash stands for an architecture that is not told.
func orDash(arch string) string {
	if arch == "" {
		return "-"
	}
	return arch
}

// notes returns what was ever noted, oldest first. A line that is torn is none.
func (m *Access) notes(ctx context.Context) ([]Change, error) {
	text, err := m.book.Notes(ctx)
	if err != nil {
		return nil, m.wrap("undo", err)
	}
	var changes []Change
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 4 || !strings.HasSuffix(line, "\n") {
			continue
		}
		if words[1] == "-" {
			words[1] = ""
		}
		if c := (Change{Name: words[0], Arch: words[1], From: words[2], To: words[3]}); m.Check(c) == nil {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// Check returns an error if c holds anything that is not to reach a command.
func (m *Access) Check(c Change) error {
	words := m.kind.Words
	err := words.CheckName(c.Name)
	for _, wrong := range []error{words.CheckArch(c.Arch), words.CheckVersion(c.From), words.CheckVersion(c.To)} {
		if err == nil {
			err = wrong
		}
	}
	return err
}

func (m *Access) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", m.kind.Name, what, err)
}

// Pause waits for [Config.Poll], and says whether ctx has outlasted it.
func (m *Access) Pause(ctx context.Context) bool {
	timer := time.NewTimer(m.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Wait asks free until its error is no more [patch.ErrBusy], for as long as [Config.Lock] says.
func (m *Access) Wait(ctx context.Context, free func() error) error {
	until := m.Now().Add(max(m.Lock, 0))
	for {
		err := free()
		if patch.FaultOf(err) != patch.Busy || !m.Now().Before(until) || !m.Pause(ctx) {
			return err
		}
	}
}
