// Package winget patches Windows devices that have the Windows Package Manager.
//
// What is installed is what the PowerShell module Microsoft.WinGet.Client tells, which devices must have: the tables that winget.exe
// prints are translated and cut off. Packages are those of winget's own source; what is not of it is not listed. Devices are reached by a
// transport that runs winget.exe and powershell.exe with the rights that the packages need, and have no sh: their Device.Ledger is to be
// set, and User.
//
// Winget has no dry run. An upgrade names one package of one source in one version, without its dependencies unless Additions is set, so that
// it changes nothing else; a version that the source does not offer is refused, and so is one whose file has not a SHA-256 of the
// content. It cannot go back to an old version that the package's installer does not install over a newer one: a fleet is no
// [rollout.Rollbacker]. It fetches when it installs, so that nothing is downloaded ahead. Pins are obeyed, and not set here. Agreements
// are not accepted for anybody: what has one fails as [patch.NeedsUser].
//
// The commands and the readers of their output were tested against transcripts written after winget's documentation, and not with a real winget.
package winget

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/source/winget"
	"github.com/patchflow/patchflow/providers/transport"
)

// Manager is what winget is called in an inventory.
const Manager = "winget"

// listScript tells what is installed of winget's source, and which versions of it the source has.
const listScript = `$ErrorActionPreference='Stop'
[Console]::OutputEncoding=[System.Text.Encoding]::UTF8
Import-Module Microsoft.WinGet.Client
$all=@(Get-WinGetPackage -Source winget | ForEach-Object {@{id=$_.Id;version=$_.InstalledVersion;available=@($_.AvailableVersions)}})
ConvertTo-Json -Compress -Depth 4 @{packages=$all}`

// New returns the fleet of c, whose devices have winget. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way.
func New(c manager.Config) (*manager.Forward, error) {
	return manager.NewForward(c, manager.Kind{Name: "winget", Scheme: version.WinGet, Words: grammar.WinGet(), Restart: windows.Restart(),
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Tool      = (*machine)(nil)
	_ manager.Summer    = (*machine)(nil)
	_ manager.Servicer  = (*machine)(nil)
	_ manager.Registrar = (*machine)(nil)
)

// A listed is a package of the list.
type listed struct {
	ID        string   `json:"id"`
	Version   string   `json:"version"`
	Available []string `json:"available"`
}

func (m *machine) list(ctx context.Context) ([]listed, error) {
	res, err := m.Run(ctx, transport.Command{Argv: windows.Argv(listScript), MaxStdout: 32 << 20})
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil && bytes.Contains(res.Stderr, []byte("Microsoft.WinGet.Client")) {
		err = fmt.Errorf("%w: the module Microsoft.WinGet.Client is not there: %w", err, patch.ErrPermanent)
	}
	if err != nil {
		return nil, fmt.Errorf("winget: list: %w", err)
	}
	var got struct {
		Packages []listed `json:"packages"`
	}
	if err := json.Unmarshal(res.Stdout, &got); err != nil || got.Packages == nil {
		return nil, fmt.Errorf("winget: list: %.200q is no answer: %w", res.Stdout, patch.ErrCorrupt)
	}
	return got.Packages, nil
}

// Look implements [manager.Tool].
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	s := &manager.Sight{Scan: inventory.Scan{At: m.Now().UTC(), Software: []inventory.Software{}}}
	system, err := windows.Look(ctx, m.Access)
	if err != nil {
		return nil, fmt.Errorf("winget: look: %w", err)
	}
	s.Scan.BootID, s.Scan.PendingReboot = system.Boot, system.Due()
	packages, err := m.list(ctx)
	if err != nil {
		return nil, err
	}
	var wrong *multierror.Error
	for _, p := range packages {
		v, err := version.Parse(version.WinGet, p.Version)
		if err != nil || p.ID == "" {
			wrong = multierror.Append(wrong, fmt.Errorf("winget: list: package %.100q has the version %.100q: %w", p.ID, p.Version, patch.ErrRecord))
			continue
		}
		s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: winget.Ecosystem, Name: p.ID, Version: v})
		at := slices.IndexFunc(s.Packages, func(o manager.State) bool { return o.Name == p.ID })
		if at < 0 {
			s.Packages = append(s.Packages, manager.State{Name: p.ID, Ecosystem: winget.Ecosystem, Version: v})
		} else if order, err := version.Compare(v, s.Packages[at].Version); err == nil && order > 0 {
			s.Packages[at].Version = v
		}
	}
	s.Cover(Manager, wrong)
	return s, nil
}

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error { return windows.Ready(ctx, m.Access) }

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	packages, err := m.list(ctx)
	if err != nil {
		return nil, err
	}
	var moves []manager.Move
	for _, c := range j.Changes {
		if !slices.ContainsFunc(packages, func(p listed) bool { return p.ID == c.Name && slices.Contains(p.Available, c.To) }) {
			return nil, fmt.Errorf("%s: the source has no version %s: %w: %w", c.Name, c.To, manager.ErrNotOffered, patch.ErrPermanent)
		}
		moves = append(moves, manager.Move{Name: c.Name, From: c.From, To: c.To})
	}
	return moves, nil
}

// exactly names one version of one package.
func exactly(verb string, c manager.Change) []string {
	return []string{"winget.exe", verb, "--id", c.Name, "--exact", "--version", c.To, "--source", "winget", "--disable-interactivity"}
}

func (m *machine) run(ctx context.Context, argv []string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: argv})
	if err == nil {
		err = Classify(res)
	}
	return res, err
}

// Service implements [manager.Servicer].
func (m *machine) Service(ctx context.Context, name string) (patch.Tri, string, error) {
	return windows.Service(ctx, m.Access, name)
}

// Registry implements [manager.Registrar].
func (m *machine) Registry(ctx context.Context, c policy.RegistryCheck) (patch.Tri, string, error) {
	return windows.Lookup(ctx, m.Run, c)
}

// Carry implements [manager.Tool].
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	if j.Back {
		return fmt.Errorf("it cannot go back: %w", patch.ErrPermanent)
	}
	for _, c := range j.Changes {
		argv := append(exactly("upgrade", c), "--silent")
		if !m.Additions {
			argv = append(argv, "--skip-dependencies")
		}
		if _, err := m.run(ctx, argv); err != nil {
			return err
		}
	}
	return nil
}

// Sum implements [manager.Summer]: the one word of 64 hexadecimal digits that "winget show" prints, whatever the language.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	res, err := m.run(ctx, exactly("show", c))
	if err != nil {
		return "", err
	}
	sum := ""
	for word := range strings.FieldsSeq(string(res.Stdout)) {
		if _, err := hex.DecodeString(word); err != nil || len(word) != 64 {
			continue
		}
		if sum != "" && !strings.EqualFold(sum, word) {
			return "", fmt.Errorf("winget tells several SHA-256: %w", patch.ErrPermanent)
		}
		sum = strings.ToLower(word)
	}
	if sum == "" {
		return "", fmt.Errorf("winget tells no SHA-256: %w", patch.ErrPermanent)
	}
	return sum, nil
}
