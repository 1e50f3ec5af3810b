package installer

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/transport"
)

// uninstall is the key below which programs that can be removed are registered (Microsoft's "Uninstall Registry Key").
const uninstall = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`

const msiexec = "msiexec.exe"

// A machine is a device and how to work on it.
type machine struct {
	*manager.Access
	catalogue *Config
	restart   bool // an installation has said that it wants a restart, of which the registry may have no sign
}

var (
	_ manager.Tool      = (*machine)(nil)
	_ manager.Summer    = (*machine)(nil)
	_ manager.Keeper    = (*machine)(nil)
	_ manager.Servicer  = (*machine)(nil)
	_ manager.Registrar = (*machine)(nil)
)

// An entry is a product as it is registered.
type entry struct {
	product *Product
	key     string // the name of its key, which for Windows Installer is the code of the product
	version string // DisplayVersion; "" if there is none
}

// entries returns the products of the catalogue that are registered, in a fixed order.
func (m *machine) entries(ctx context.Context) ([]entry, error) {
	var all []entry
	for _, view := range []struct {
		is32 bool
		open func(windows.Run) *windows.Registry
	}{{false, windows.OpenRegistry}, {true, windows.OpenRegistry32}} {
		if !slices.ContainsFunc(m.catalogue.Products, func(p Product) bool { return p.is32() == view.is32 }) {
			continue
		}
		keys, there, err := view.open(m.Run).Below(ctx, uninstall)
		if err == nil && there == patch.Unknown {
			err = fmt.Errorf("%s may not be read: %w", uninstall, patch.ErrPermanent)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: list: %w", Manager, err)
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			for i := range m.catalogue.Products {
				if p := &m.catalogue.Products[i]; p.is32() == view.is32 && p.is(name, keys[name].Values) {
					all = append(all, entry{p, name, keys[name].Values["displayversion"]})
				}
			}
		}
	}
	return all, nil
}

// is says whether a key is that of a product. Windows Installer marks those that are its own.
func (p *Product) is(key string, values map[string]string) bool {
	if p.NSIS != nil {
		return values["windowsinstaller"] != "0x1" && strings.EqualFold(key, p.NSIS.Key)
	}
	title := strings.ReplaceAll(p.Title, "{version}", values["displayversion"])
	return values["windowsinstaller"] == "0x1" && isCode(key) && strings.EqualFold(values["displayname"], title)
}

// isCode passes codes of products, "{484e7438-5040-4184-a612-54d47ca516ec}".
func isCode(key string) bool {
	if len(key) != 38 || key[0] != '{' || key[37] != '}' {
		return false
	}
	parts := strings.Split(key[1:37], "-")
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts) != 5 || len(parts[i]) != n || strings.Trim(parts[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// Look implements [manager.Tool]. A product that is registered in several versions is damaged: an upgrade has left the old one behind.
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	s := &manager.Sight{Scan: inventory.Scan{At: m.Now().UTC(), Software: []inventory.Software{}}}
	system, err := windows.Look(ctx, m.Access)
	if err != nil {
		return nil, fmt.Errorf("%s: look: %w", Manager, err)
	}
	s.Scan.BootID, s.Scan.PendingReboot = system.Boot, system.Due()
	if m.restart {
		s.Scan.PendingReboot = patch.Yes
	}
	entries, err := m.entries(ctx)
	if err != nil {
		return nil, err
	}
	var wrong *multierror.Error
	for _, e := range entries {
		v, err := version.Parse(version.WinGet, e.version)
		if err != nil || words().CheckVersion(e.version) != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("%s: list: %s has the version %.100q: %w", Manager, e.product.Name, e.version, patch.ErrRecord))
			continue
		}
		name, arch := e.product.Name, e.product.Arch
		s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: Manager, Ecosystem: Manager, Name: name, Arch: arch, Version: v})
		at := slices.IndexFunc(s.Packages, func(o manager.State) bool { return o.Name == name && o.Arch == arch })
		if at < 0 {
			s.Packages = append(s.Packages, manager.State{Name: name, Arch: arch, Ecosystem: Manager, Version: v})
			continue
		}
		there := &s.Packages[at]
		there.Damaged = there.Damaged || there.Version.Text != v.Text
		if order, err := version.Compare(v, there.Version); err == nil && order > 0 {
			there.Version = v
		}
	}
	s.Cover(Manager, wrong)
	return s, nil
}

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error { return windows.Ready(ctx, m.Access) }

// Service implements [manager.Servicer].
func (m *machine) Service(ctx context.Context, name string) (patch.Tri, string, error) {
	return windows.Service(ctx, m.Access, name)
}

// Registry implements [manager.Registrar].
func (m *machine) Registry(ctx context.Context, c policy.RegistryCheck) (patch.Tri, string, error) {
	return windows.Lookup(ctx, m.Run, c)
}

// sum returns the SHA-256 of a file on the device, as certutil.exe tells it: in the one line that is 64 hexadecimal digits, which older
// systems part by blanks. The words around it are translated.
func (m *machine) sum(ctx context.Context, file string) (string, error) {
	res, err := m.Run(ctx, transport.Command{Argv: []string{"certutil.exe", "-hashfile", file, "SHA256"}})
	if err != nil {
		return "", err
	}
	if !res.OK() {
		said := desk.LastLine(append(res.Stdout, res.Stderr...))
		return "", fmt.Errorf("the SHA-256 of %s cannot be told: certutil.exe: %s: %.300s: %w", file, res, said, patch.ErrPermanent)
	}
	sum := ""
	for line := range strings.Lines(string(res.Stdout)) {
		line = strings.ToLower(strings.Join(strings.Fields(line), ""))
		if b, err := hex.DecodeString(line); err != nil || len(b) != 32 {
			continue
		}
		if sum != "" {
			sum = ""
			break
		}
		sum = line
	}
	if sum == "" || res.StdoutCut > 0 {
		return "", fmt.Errorf("the SHA-256 of %s cannot be told: certutil.exe: %.200q is no answer: %w", file, res.Stdout, patch.ErrPermanent)
	}
	return sum, nil
}

// offered returns a version of the catalogue whose file on the device is what the catalogue says.
func (m *machine) offered(ctx context.Context, name, arch, v string) (*Package, error) {
	k := m.catalogue.find(name, arch, v)
	if k == nil {
		return nil, fmt.Errorf("the catalogue has no %s %s for %s: %w: %w", name, v, arch, manager.ErrNotOffered, patch.ErrPermanent)
	}
	sum, err := m.sum(ctx, k.File)
	if err == nil && !strings.EqualFold(sum, k.SHA256) {
		err = fmt.Errorf("%s has the SHA-256 %s, wanted is %s: %w", k.File, sum, strings.ToLower(k.SHA256), patch.ErrUntrusted)
	}
	return k, err
}

// Sum implements [manager.Summer].
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	k, err := m.offered(ctx, c.Name, c.Arch, c.To)
	if err != nil {
		return "", err
	}
	return strings.ToLower(k.SHA256), nil
}

// Keep implements [manager.Keeper]: nothing is kept on the device, the catalogue must have the old version.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	_, err := m.offered(ctx, c.Name, c.Arch, c.From)
	return err
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	var moves []manager.Move
	for _, c := range j.Changes {
		if _, err := m.offered(ctx, c.Name, c.Arch, c.To); err != nil {
			return nil, err
		}
		moves = append(moves, manager.Move{Name: c.Name, Arch: c.Arch, From: c.From, To: c.To})
	}
	return moves, nil
}

// Carry implements [manager.Tool]. The file is looked at again before it is run, and before anything is removed.
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	for _, c := range j.Changes {
		k, err := m.offered(ctx, c.Name, c.Arch, c.To)
		if err != nil {
			return err
		}
		there := false
		if j.Back {
			if there, err = m.clear(ctx, c); err != nil {
				return err
			}
		}
		if !there {
			argv := m.argv("/i", k.File, c.Name+"-"+c.To+"-install", k.Args...)
			if m.catalogue.product(c.Name, c.Arch).NSIS != nil {
				argv = append([]string{k.File}, k.Args...)
			}
			if err := m.run(ctx, argv, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear removes all versions of a product but that which a change brings, and says whether that is there.
func (m *machine) clear(ctx context.Context, c manager.Change) (bool, error) {
	entries, err := m.entries(ctx)
	if err != nil {
		return false, err
	}
	there := false
	for _, e := range entries {
		switch {
		case e.product.Name != c.Name || e.product.Arch != c.Arch:
		case e.version == c.To:
			there = true
		case e.product.NSIS != nil && e.product.NSIS.Remove == nil:
		case e.product.NSIS != nil:
			if err := m.remove(ctx, e.product); err != nil {
				return false, err
			}
		default:
			if err := m.run(ctx, m.argv("/x", e.key, c.Name+"-remove"), true); err != nil {
				return false, err
			}
		}
	}
	return there, nil
}

// remove removes a product of NSIS and waits until its key is gone: its uninstaller goes on as a copy of itself.
func (m *machine) remove(ctx context.Context, p *Product) error {
	if err := m.run(ctx, p.NSIS.Remove, true); err != nil {
		return err
	}
	return m.Wait(ctx, func() error {
		entries, err := m.entries(ctx)
		if err == nil && slices.ContainsFunc(entries, func(e entry) bool { return e.product == p }) {
			err = fmt.Errorf("%s is still registered after %s: %w", p.Name, p.NSIS.Remove[0], patch.ErrBusy)
		}
		return err
	})
}

// argv returns a command that asks nothing and does not restart the device (Microsoft's "Msiexec").
func (m *machine) argv(verb, what, log string, args ...string) []string {
	argv := []string{msiexec, verb, what, "/qn", "/norestart"}
	if m.catalogue.Logs != "" {
		argv = append(argv, "/l*v", m.catalogue.Logs+`\`+log+".log")
	}
	return append(argv, args...)
}

// run runs msiexec or another program and classifies how it has ended.
func (m *machine) run(ctx context.Context, argv []string, removes bool) error {
	res, err := m.Run(ctx, transport.Command{Argv: argv})
	if err != nil {
		return err
	}
	if res.Ended && (res.Code == successRebootRequired || res.Code == successRebootInitiated) {
		m.restart = true
	}
	if argv[0] != msiexec {
		if err := ClassifyNSIS(res); err != nil {
			return fmt.Errorf("%s: %w", argv[0], err)
		}
		return nil
	}
	if removes && res.Ended && (res.Code == unknownProduct || res.Code == productUninstalled) {
		return nil
	}
	if err := Classify(res); err != nil {
		return fmt.Errorf("msiexec %s %s: %w", argv[1], argv[2], err)
	}
	return nil
}
