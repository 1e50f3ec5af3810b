package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A Device is how a device is reached, and where its root folder is.
type Device struct {
	To   transport.Transport
	Root string // the folder of the system as commands see it, without a slash at its end: "" for the system that runs
	User bool   // commands run without the rights of root
}

// Run runs a command on the device, with the rights of root unless the device is one of a user. Its words are those of the
// C locale, and it asks no questions.
func (d Device) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	c.Root = !d.User
	c.Env = append([]string{"LC_ALL=C", "LANG=C", "LANGUAGE=C", "DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true"}, c.Env...)
	return d.To.Run(ctx, c)
}

// Script runs a constant script for sh(1), with args as $1 and so on, which the shell does not look into. With an input, "take FILE" in it writes that
// into a file, and fails if it has not come as a whole: whoever sends it may be killed amid that, and its end looks like any other.
func (d Device) Script(ctx context.Context, script string, stdin []byte, args ...string) (transport.Result, error) {
	if stdin != nil {
		script = fmt.Sprintf("take() { cat >\"$1\" && [ \"$(wc -c <\"$1\")\" -eq %d ]; }\n", len(stdin)) + script
	}
	return d.Run(ctx, transport.Command{Argv: append([]string{"sh", "-c", script, "patchflow"}, args...), Stdin: stdin, MaxStdout: 64 << 20})
}

// Folder is where the device keeps what patchflow knows of it.
func (d Device) Folder() string { return d.Root + "/var/lib/patchflow" }

// A Begun is what the ledger says of a task that has begun.
type Begun struct {
	ID     rollout.TaskID `json:"id"`
	Op     rollout.Op     `json:"op"`
	BootID string         `json:"bootID,omitempty"` // with [rollout.OpReboot]: the boot that it is to end
	Asked  bool           `json:"-"`                // the device was asked to do what the task is about
}

// An Entry is a page of the ledger.
type Entry struct {
	Found  bool
	Begun  Begun           // zero if it was claimed by somebody who got no further
	Report *rollout.Report // nil if its end was not written down
}

// page names the page of a task. IDs hold characters that file names do not, and are of any length.
func page(id rollout.TaskID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// The pages are folders: mkdir(2) is what only one of several can do. A file is written beside, synchronised, and renamed.
const claimScript = `umask 077
mkdir -p "$1/tasks" || exit 1
if mkdir "$1/tasks/$2" 2>/dev/null; then
  take "$1/tasks/$2/new" && { sync "$1/tasks/$2/new" 2>/dev/null || sync; } && mv "$1/tasks/$2/new" "$1/tasks/$2/begun" || {
    rm -rf "$1/tasks/$2"; exit 1
  }
  echo new
  exit 0
fi
[ -d "$1/tasks/$2" ] || { mkdir "$1/tasks/$2"; exit 1; }
` + readPage

const readScript = `[ -d "$1/tasks/$2" ] || { echo none; exit 0; }
` + readPage

const readPage = `echo old
for f in begun report; do
  if [ -e "$1/tasks/$2/$f" ]; then cat "$1/tasks/$2/$f" || exit 1; fi
  echo
done
if [ -e "$1/tasks/$2/asked" ]; then echo asked; fi`

// A file that is made only if it is not there is made by one of several.
const askedScript = `umask 077
cd "$1/tasks/$2" || exit 1
if (set -C; : >asked) 2>/dev/null; then
  sync asked 2>/dev/null || sync
  echo first
else
  [ -e asked ] || : >asked
fi`

const endScript = `umask 077
[ -d "$1/tasks/$2" ] || exit 1
[ ! -s "$1/tasks/$2/report" ] || exit 0
take "$1/tasks/$2/new.$$" && { sync "$1/tasks/$2/new.$$" 2>/dev/null || sync; } &&
  mv "$1/tasks/$2/new.$$" "$1/tasks/$2/report" || { rm -f "$1/tasks/$2/new.$$"; exit 1; }`

// Claim writes down that b has begun. The entry is not Found if it is the caller's to begin; otherwise it says what became
// of it. An error means that nothing was claimed, unless it wraps [transport.ErrUnknownOutcome].
func (d Device) Claim(ctx context.Context, b Begun) (Entry, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return Entry{}, err
	}
	return d.entry(ctx, "claim", claimScript, text, b.ID)
}

// Read returns what the ledger says of a task.
func (d Device) Read(ctx context.Context, id rollout.TaskID) (Entry, error) {
	return d.entry(ctx, "read", readScript, nil, id)
}

// Asked implements [Ledger].
func (d Device) Asked(ctx context.Context, id rollout.TaskID) (first bool, err error) {
	res, err := d.Script(ctx, askedScript, nil, d.Folder(), page(id))
	if err == nil {
		err = Failed(res)
	}
	if err != nil {
		return false, fmt.Errorf("ledger: asked: %w", err)
	}
	return string(bytes.TrimSpace(res.Stdout)) == "first", nil
}

// End writes down how a task has ended. The first word stands.
func (d Device) End(ctx context.Context, id rollout.TaskID, r rollout.Report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.Do(ctx, "ledger: end", endScript, text, d.Folder(), page(id))
}

const noteScript = `umask 077
mkdir -p "$1" && take "$1/undo.$$" && cat "$1/undo.$$" >>"$1/undo" && { sync "$1/undo" 2>/dev/null || sync; }
e=$?
rm -f "$1/undo.$$"
exit $e`

// Note implements [Book].
func (d Device) Note(ctx context.Context, lines []byte) error {
	return d.Do(ctx, "write", noteScript, lines, d.Folder())
}

// Notes implements [Book].
func (d Device) Notes(ctx context.Context) ([]byte, error) {
	res, err := d.Script(ctx, `if [ -e "$1/undo" ]; then cat "$1/undo"; fi`, nil, d.Folder())
	if err == nil {
		err = Failed(res)
	}
	return res.Stdout, err
}

func (d Device) entry(ctx context.Context, what, script string, stdin []byte, id rollout.TaskID) (Entry, error) {
	res, err := d.Script(ctx, script, stdin, d.Folder(), page(id))
	if err == nil {
		err = Failed(res)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("ledger: %s: %w", what, err)
	}
	head, rest, _ := bytes.Cut(res.Stdout, []byte("\n"))
	switch string(head) {
	case "new", "none":
		return Entry{}, nil
	case "old":
	default:
		return Entry{}, fmt.Errorf("ledger: %s: %.100q is no answer: %w", what, head, patch.ErrCorrupt)
	}
	begun, rest, _ := bytes.Cut(rest, []byte("\n"))
	report, asked, _ := bytes.Cut(rest, []byte("\n"))
	return readEntry(what, begun, report, len(bytes.TrimSpace(asked)) > 0)
}

// readEntry makes an entry of the files of a page, of which each may be empty.
func readEntry(what string, begun, report []byte, asked bool) (Entry, error) {
	e := Entry{Found: true}
	if len(begun) > 0 {
		if err := json.Unmarshal(begun, &e.Begun); err != nil {
			return Entry{}, fmt.Errorf("ledger: %s: %w: %w", what, err, patch.ErrCorrupt)
		}
	}
	e.Begun.Asked = asked
	if len(report) > 0 {
		e.Report = new(rollout.Report)
		if err := json.Unmarshal(report, e.Report); err != nil {
			return Entry{}, fmt.Errorf("ledger: %s: %w: %w", what, err, patch.ErrCorrupt)
		}
	}
	return e, nil
}

// Do runs a constant script and makes an exit code other than 0 an error, which begins with what.
func (d Device) Do(ctx context.Context, what, script string, stdin []byte, args ...string) error {
	res, err := d.Script(ctx, script, stdin, args...)
	if err == nil {
		err = Failed(res)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Failed returns an error for a result of a common program that has not ended with 0: with its last words, and its class
// where the system's own words of errno(3) tell one.
func Failed(r transport.Result) error {
	if r.OK() {
		return nil
	}
	said := LastLine(r.Stderr)
	err := fmt.Errorf("%s: %s", r, said)
	switch {
	case strings.Contains(said, "No space left on device"), strings.Contains(said, "Disk quota exceeded"):
		return fmt.Errorf("%w: %w", err, patch.ErrDiskFull)
	case strings.Contains(said, "Permission denied"), strings.Contains(said, "Read-only file system"), r.Code == 126, r.Code == 127:
		return fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	}
	return err
}

// LastLine returns the last line of text that is not empty, of at most 300 bytes.
func LastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return fmt.Sprintf("%.300s", strings.ToValidUTF8(string(text), "?"))
}
