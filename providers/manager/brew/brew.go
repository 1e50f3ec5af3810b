// Package brew patches devices that have Homebrew, macOS and Linux alike: formulae and casks of Homebrew's own. What is of another tap
// is listed and not touched.
//
// Homebrew installs the newest version that it knows, so that content with another one is refused, and it cannot go back: a fleet of it is no
// [rollout.Rollbacker]. What it would do besides is refused, and what depends on a formula is left alone. It runs as the user whose
// Homebrew it is: devices are to have User set. Versions are those of package homebrew; one that nothing orders, as a revision ("3.38.0_1"),
// is refused as [patch.Permanent] unless it is there already. Whether a restart is due is not known.
//
// The commands and the readers of their output were tested against transcripts written after Homebrew's source and public outputs of it,
// and not with a real Homebrew.
package brew

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/source/homebrew"
	"github.com/patchflow/patchflow/providers/transport"
)

// New returns the fleet of c, whose devices have Homebrew. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way. Transports run brew, ps and sh.
func New(c manager.Config) (*manager.Forward, error) {
	return manager.NewForward(c, manager.Kind{Name: "brew", Scheme: version.Loose, Words: grammar.Brew(),
		Restart: []string{"shutdown", "-r", "now"},
		Open:    func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Fetcher = (*machine)(nil)
	_ manager.Holder  = (*machine)(nil)
)

// cask is the architecture of casks here: it tells them from formulae of the same name.
const cask = "cask"

// environment keeps Homebrew from doing more than it is told to.
func environment() []string {
	return []string{"HOMEBREW_NO_AUTO_UPDATE=1", "HOMEBREW_NO_INSTALL_UPGRADE=1", "HOMEBREW_NO_INSTALLED_DEPENDENTS_CHECK=1",
		"HOMEBREW_NO_INSTALL_CLEANUP=1", "HOMEBREW_NO_ENV_HINTS=1", "HOMEBREW_NO_ANALYTICS=1", "HOMEBREW_NO_COLOR=1", "HOMEBREW_NO_ASK=1"}
}

// run runs brew and classifies how it has ended.
func (m *machine) run(ctx context.Context, args ...string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"brew"}, args...), Env: environment(), MaxStdout: 64 << 20})
	if err == nil {
		err = Classify(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("the output of brew %s is too long: %w", args[0], patch.ErrPermanent)
	}
	return res, err
}

// kind is the option for formulae or casks.
func kind(arch string) string {
	if arch == cask {
		return "--cask"
	}
	return "--formula"
}

// An info is what is read of "brew info --json=v2".
type info struct {
	Formulae []struct {
		Name      string `json:"full_name"`
		Installed []struct {
			Version string `json:"version"`
		} `json:"installed"`
		Linked string `json:"linked_keg"`
		Pinned bool   `json:"pinned"`
	} `json:"formulae"`
	Casks []struct {
		Name      string `json:"full_token"`
		Installed string `json:"installed"`
		SHA256    string `json:"sha256"`
		Pinned    bool   `json:"pinned"`
	} `json:"casks"`
}

func readInfo(text []byte) (*info, error) {
	i := new(info)
	if err := json.Unmarshal(text, i); err != nil {
		return nil, fmt.Errorf("brew: info: %w: %w", err, patch.ErrCorrupt)
	}
	if i.Formulae == nil || i.Casks == nil {
		return nil, fmt.Errorf("brew: info: it has no list of formulae or none of casks: %w", patch.ErrCorrupt)
	}
	return i, nil
}

// Look implements [manager.Tool]. Of a formula that has several versions the one that is linked counts, or else the last.
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	at := m.Now().UTC()
	boot, err := m.Boot(ctx)
	if err != nil {
		return nil, fmt.Errorf("brew: look: %w", err)
	}
	res, err := m.run(ctx, "info", "--json=v2", "--installed")
	if err != nil {
		return nil, fmt.Errorf("brew: look: %w", err)
	}
	i, err := readInfo(res.Stdout)
	if err != nil {
		return nil, err
	}
	s := &manager.Sight{Scan: inventory.Scan{At: at, BootID: boot, Software: []inventory.Software{}}}
	var wrong *multierror.Error
	add := func(ecosystem, arch, name, text string, held bool) {
		if name == "" || text == "" {
			wrong = multierror.Append(wrong, fmt.Errorf("brew: info: %s %.100q has the version %.100q: %w", ecosystem, name, text, patch.ErrRecord))
			return
		}
		v := homebrew.VersionOf(text)
		s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: homebrew.Manager, Ecosystem: ecosystem, Name: name, Version: v, Held: held})
		s.Packages = append(s.Packages, manager.State{Name: name, Arch: arch, Ecosystem: ecosystem, Version: v, Held: held})
	}
	for _, f := range i.Formulae {
		text := f.Linked
		if n := len(f.Installed); text == "" && n > 0 {
			text = f.Installed[n-1].Version
		}
		add(homebrew.Formulae, "", f.Name, text, f.Pinned)
	}
	for _, c := range i.Casks {
		add(homebrew.Casks, cask, c.Name, c.Installed, c.Pinned)
	}
	s.Cover(homebrew.Manager, wrong)
	return s, nil
}

// Ready implements [manager.Tool]. Homebrew locks what it works on, and tells nobody: its processes are looked for.
func (m *machine) Ready(ctx context.Context) error {
	return m.Wait(ctx, func() error {
		res, err := m.Run(ctx, transport.Command{Argv: []string{"ps", "-A", "-o", "command="}, MaxStdout: 8 << 20})
		if err == nil {
			err = Classify(res)
		}
		if err != nil {
			return fmt.Errorf("brew: ps: %w", err)
		}
		for line := range bytes.Lines(res.Stdout) {
			for _, program := range []string{"/Library/Homebrew/brew.rb ", "/Library/Homebrew/build.rb ", "/Library/Homebrew/postinstall.rb "} {
				if bytes.Contains(line, []byte(program)) {
					return fmt.Errorf("brew: %.200q runs: %w", bytes.TrimSpace(line), patch.ErrBusy)
				}
			}
		}
		return nil
	})
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	var moves []manager.Move
	for _, some := range sorts(j.Changes) {
		res, err := m.run(ctx, append([]string{"upgrade", "--dry-run", kind(some[0].Arch)}, names(some)...)...)
		if err != nil {
			return nil, err
		}
		part, err := readMoves(res.Stdout, some[0].Arch)
		if err != nil {
			return nil, err
		}
		moves = append(moves, part...)
	}
	return moves, nil
}

// readMoves reads what "brew upgrade --dry-run" would do, by its headings. One that is not known is an error: nothing is done by half
// a plan.
func readMoves(stdout []byte, arch string) ([]manager.Move, error) {
	const upgrade, install, other = 1, 2, 3
	var moves []manager.Move
	part := 0
	for line := range bytes.Lines(stdout) {
		line := strings.TrimSpace(string(line))
		if head, ok := strings.CutPrefix(line, "==> Would "); ok {
			words := strings.Fields(head)
			switch {
			case len(words) > 3 && words[0] == "upgrade" && words[2] == "outdated":
				part = upgrade
			case len(words) > 3 && words[0] == "install" && strings.HasPrefix(words[2], "dependenc"):
				part = install
			default:
				return nil, fmt.Errorf("brew: plan: %.200q is not understood: %w", line, patch.ErrPermanent)
			}
			continue
		}
		if strings.HasPrefix(line, "==>") || line == "" {
			part = other
			continue
		}
		words := strings.Fields(line)
		switch {
		case part == upgrade && len(words) == 4 && words[2] == "->":
			moves = append(moves, manager.Move{Name: words[0], Arch: arch, From: words[1], To: words[3]})
		case part == upgrade:
			return nil, fmt.Errorf("brew: plan: %.200q is not understood: %w", line, patch.ErrPermanent)
		case part == install:
			for _, name := range words {
				moves = append(moves, manager.Move{Name: strings.Trim(name, ","), Arch: arch})
			}
		}
	}
	return moves, nil
}

// sorts parts changes into those of formulae and those of casks, which are not upgraded together.
func sorts(changes []manager.Change) [][]manager.Change {
	var all [][]manager.Change
	for _, arch := range []string{"", cask} {
		var some []manager.Change
		for _, c := range changes {
			if c.Arch == arch {
				some = append(some, c)
			}
		}
		if len(some) > 0 {
			all = append(all, some)
		}
	}
	return all
}

func names(changes []manager.Change) (names []string) {
	for _, c := range changes {
		names = append(names, c.Name)
	}
	return names
}

// Carry implements [manager.Tool].
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	if j.Back {
		return fmt.Errorf("it cannot go back: %w", patch.ErrPermanent)
	}
	return m.each(ctx, "upgrade", j.Changes)
}

func (m *machine) each(ctx context.Context, verb string, changes []manager.Change) error {
	for _, some := range sorts(changes) {
		if _, err := m.run(ctx, append([]string{verb, kind(some[0].Arch)}, names(some)...)...); err != nil {
			return err
		}
	}
	return nil
}

// Refresh implements [manager.Fetcher].
func (m *machine) Refresh(ctx context.Context) error {
	_, err := m.run(ctx, "update", "--quiet")
	return err
}

// Download implements [manager.Fetcher].
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	return m.each(ctx, "fetch", changes)
}

// Sum implements [manager.Fetcher] for casks. A formula has a bottle for each system, and Homebrew does not tell which it would take.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	if c.Arch != cask {
		return "", fmt.Errorf("brew does not tell the SHA-256 of the bottle that it would take: %w", patch.ErrPermanent)
	}
	res, err := m.run(ctx, "info", "--json=v2", "--cask", c.Name)
	if err != nil {
		return "", err
	}
	i, err := readInfo(res.Stdout)
	if err != nil {
		return "", err
	}
	if len(i.Casks) != 1 || i.Casks[0].Name != c.Name {
		return "", fmt.Errorf("brew tells nothing of the cask: %w", patch.ErrPermanent)
	}
	return i.Casks[0].SHA256, nil
}

// Hold implements [manager.Holder].
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	verb := "pin"
	if !held {
		verb = "unpin"
	}
	_, err := m.run(ctx, append([]string{verb}, names...)...)
	return err
}

// words are in the order of their weight.
func words() []signs.Sign {
	return []signs.Sign{
		{Words: "has already locked", Class: patch.ErrBusy},
		{Words: "process is already in progress", Class: patch.ErrBusy},
		{Words: "process is already running", Class: patch.ErrBusy},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "SHA256 mismatch", Class: patch.ErrUntrusted},
		{Words: "SHA-256 mismatch", Class: patch.ErrUntrusted},
		{Words: "reports different checksum", Class: patch.ErrUntrusted},
		{Words: "attestation verification failed", Class: patch.ErrUntrusted},
		{Words: "code signature", Class: patch.ErrUntrusted},
		{Words: "a password is required", Class: patch.ErrNeedsUser},
		{Words: "a terminal is required", Class: patch.ErrNeedsUser},
		{Words: "You must unpin it", Class: patch.ErrNeedsUser},
		{Words: "Not upgrading 1 pinned", Class: patch.ErrNeedsUser},
		{Words: "have not agreed to the Xcode license", Class: patch.ErrNeedsUser},
		{Words: "is not a git repository", Class: patch.ErrCorrupt},
		{Words: "No available formula with the name", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "No formulae or casks found for", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "is unavailable: No Cask with this name exists", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "not installed", Class: patch.ErrNotApplicable},
		{Words: "Running Homebrew as root", Class: patch.ErrPermanent},
		{Words: "not writable", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
		{Words: "no bottle available", Class: patch.ErrPermanent},
		{Words: "has been disabled", Class: patch.ErrPermanent},
		{Words: "step did not complete successfully", Class: patch.ErrPermanent},
		{Words: "Could not symlink", Class: patch.ErrPermanent},
		{Words: "curl: ("},
		{Words: "Failed to download"},
		{Words: "Download failed"},
	}
}

// Classify returns an error for brew that has not ended with 0, whose exit code says no more than that: it is classified by what brew says.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	return signs.Classify(r, words(), r.Stderr)
}
