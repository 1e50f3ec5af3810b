// Package softwareupdate looks at Macs by Apple's softwareupdate: which macOS runs, and which updates Apple offers it.
//
// It installs nothing. An update of macOS takes effect in a restart of its own, on Macs of today with the word of an owner, which is what a device
// management service is for; and softwareupdate ends with 0 where it has installed nothing.
//
// Updates of macOS are called as package sofa calls them, "sofa:macOS/26.5", and all others by their labels, "softwareupdate:Safari27.0TahoeAuto-27.0".
// A new major version that is offered is listed as well: which of them is wanted is not this package's to say. What runs is software of the
// ecosystem "macOS", as for package sofa. Whether a restart is due is not told.
//
// The reader was tested against transcripts written after the shapes of public outputs of macOS 26, and not on a Mac.
package softwareupdate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// Manager is what [inventory.Software] and [inventory.Coverage] call it.
const Manager = "softwareupdate"

// An Update is one that Apple offers.
type Update struct {
	Label   string // what softwareupdate installs it by
	Title   string
	Version string
	Restart bool // it needs one
}

// ID returns the ID of the patch that it is.
func (u *Update) ID() patch.ID {
	if !strings.HasPrefix(u.Title, "macOS ") {
		return patch.ID("softwareupdate:" + u.Label)
	}
	return patch.ID("sofa:macOS/" + strings.ReplaceAll(u.Version, " ", ""))
}

// Read reads what "softwareupdate --list" prints. refused holds an error for each update that could not be read, which names the line and
// wraps [patch.ErrRecord]. err is not nil if the text tells neither updates nor that there are none.
func Read(text []byte) (updates []Update, refused []error, err error) {
	n, label, known := 0, "", false
	refuse := func(format string, args ...any) {
		refused = append(refused, fmt.Errorf("softwareupdate: line %d: "+format+": %w", append(append([]any{n}, args...), patch.ErrRecord)...))
	}
	for line := range bytes.Lines(text) {
		n++
		line := strings.TrimSpace(string(line))
		switch rest, starred := strings.CutPrefix(line, "* "); {
		case strings.HasPrefix(line, "No new software available"):
			known = true
		case starred:
			known = true
			if label != "" {
				refuse("nothing is told of the update %.100q", label)
			}
			var ok bool
			if label, ok = strings.CutPrefix(rest, "Label: "); !ok || label == "" {
				label = ""
				refuse("%.100q is not understood", line)
			}
		case label != "" && strings.HasPrefix(line, "Title: "):
			u, ok := readTitle(label, line)
			if !ok {
				refuse("%.200q is not understood", line)
			} else {
				updates = append(updates, u)
			}
			label = ""
		}
	}
	if label != "" {
		refuse("nothing is told of the update %.100q", label)
	}
	if !known {
		return nil, refused, fmt.Errorf("softwareupdate: %.200q is no list of updates: %w", text, patch.ErrCorrupt)
	}
	return updates, refused, nil
}

// readTitle reads "Title: macOS 26.5, Version: 26.5, Size: 3690218KiB, Recommended: YES, Action: restart,". A title may have commas.
func readTitle(label, line string) (Update, bool) {
	title, fields, ok := strings.Cut(strings.TrimPrefix(line, "Title: "), ", Version: ")
	if !ok {
		return Update{}, false
	}
	u := Update{Label: label, Title: title}
	u.Version, fields, ok = strings.Cut(fields, ",")
	if !ok || u.Version == "" {
		return Update{}, false
	}
	for field := range strings.SplitSeq(fields, ",") {
		u.Restart = u.Restart || strings.TrimSpace(field) == "Action: restart"
	}
	return u, true
}

// Config says how devices are reached. Reach must be set.
type Config struct {
	// Reach returns a transport that runs sw_vers, sysctl and softwareupdate on a device.
	Reach func(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) (transport.Transport, error)

	// Cached takes the list that the device last made, which is quick, and may be old.
	Cached bool

	// Now tells the time of scans; nil means [time.Now].
	Now func() time.Time
}

// A Scanner looks at Macs. It is safe for concurrent use.
type Scanner struct{ cfg Config }

var _ inventory.Scanner = (*Scanner)(nil)

// New returns the scanner of c. The error names the field at fault.
func New(c Config) (*Scanner, error) {
	if c.Reach == nil {
		return nil, errors.New("softwareupdate: config: Reach is nil")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Scanner{c}, nil
}

// Scan implements [inventory.Scanner]. What softwareupdate lists judges: an update that it does not offer is not missing. A list of which a
// part could not be read covers the device partially.
func (s *Scanner) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	to, err := s.cfg.Reach(ctx, d.Tenant, d.ID)
	if err != nil {
		if patch.FaultOf(err) == patch.Transient {
			err = fmt.Errorf("%w: %w", err, patch.ErrUnreachable)
		}
		return inventory.Scan{}, fmt.Errorf("softwareupdate: device %q: %w", d.ID, err)
	}
	run := func(argv ...string) (transport.Result, error) {
		res, err := to.Run(ctx, transport.Command{Argv: argv, Env: []string{"LC_ALL=C", "LANG=C"}})
		if err == nil {
			err = desk.Failed(res)
		}
		if err == nil && res.StdoutCut+res.StderrCut > 0 {
			err = fmt.Errorf("it is too long: %w", patch.ErrPermanent)
		}
		if err != nil {
			err = fmt.Errorf("softwareupdate: %s: %w", argv[0], err)
		}
		return res, err
	}
	scan := inventory.Scan{Tenant: d.Tenant, Device: d.ID, At: s.cfg.Now().UTC()}
	boot, err := run("sysctl", "-n", "kern.bootsessionuuid")
	if err != nil {
		return inventory.Scan{}, err
	}
	scan.BootID = string(bytes.TrimSpace(boot.Stdout))
	system, err := run("sw_vers", "-productVersion")
	if err != nil {
		return inventory.Scan{}, err
	}
	v, err := version.Parse(version.MacOS, string(bytes.TrimSpace(system.Stdout)))
	if err != nil {
		return inventory.Scan{}, fmt.Errorf("softwareupdate: sw_vers: %w: %w", err, patch.ErrCorrupt)
	}
	scan.Software = []inventory.Software{{Manager: Manager, Ecosystem: "macOS", Name: "macOS", Version: v}}
	cover := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: scan.At, Judges: true}
	argv := []string{"softwareupdate", "--list"}
	if s.cfg.Cached {
		argv = append(argv, "--no-scan")
	}
	list, err := run(argv...)
	if errors.Is(err, patch.ErrUnreachable) || ctx.Err() != nil {
		return inventory.Scan{}, err
	}
	var updates []Update
	if err == nil {
		var refused []error
		// Some versions say on their error output that there is nothing.
		if updates, refused, err = Read(append(list.Stdout, list.Stderr...)); err == nil && len(refused) > 0 {
			cover.Status, cover.Detail = inventory.Partial, refused[0].Error()
		}
	}
	if err != nil {
		cover.Status, cover.Detail = inventory.Failed, err.Error()
	}
	for i := range updates {
		scan.Missing = append(scan.Missing, updates[i].ID())
	}
	scan.Coverage = []inventory.Coverage{cover}
	return scan, nil
}
