// Package installer patches Windows devices with packages of Windows Installer, files whose names end with .msi, and with setup programs that NSIS
// has made.
//
// What may be installed stands in a catalogue: products, and of each the versions that there are files of, with their SHA-256. A patch
// names a product by Product.Name and a version as patch.Package of the ecosystem [Manager]. What is installed is what the uninstall keys
// of the registry say, in the view of the product's architecture; installations of single users are not looked at. A device that does not
// have a product is not given it.
//
// The files lie on the device, or where it can read them: who brings them there is the vendor's affair, and so is that only administrators
// can write there. Before a file is run its SHA-256 is asked for with certutil.exe, and a file that has another one, or of which that cannot
// be told, is not run. What is installed with it is Windows Installer's affair: there is no dry run.
//
// Rollback removes what is there and installs the version before, which the catalogue must have: Windows Installer does not go
// back otherwise. Of a setup program it does so where the catalogue says how, and else runs the older one over what is there. If that fails the product is gone, and the task says so. Between the two the settings that an uninstallation takes away are lost.
//
// Devices are reached by a transport that runs msiexec.exe, reg.exe and certutil.exe with the rights of an administrator, waits for the end of programs
// with windows too, and hands on exit codes of 32 bits. They have no sh: their Device.Ledger is to be set, and User.
package installer

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
)

// Manager is what it is called in an inventory, and the ecosystem of its packages.
const Manager = "installer"

// Config is the catalogue, and how devices are reached. Products is not changed by anybody while a fleet uses it.
type Config struct {
	manager.Config

	// Products are what may be installed; there is one at least.
	Products []Product

	// Logs is a folder of the device in which msiexec leaves a verbose log of each call, "Acme.Lamp-1.1.0-install.log"; a second call
	// overwrites the first one's. It must be there. "" writes none. Such a log may hold the values of properties.
	Logs string
}

// A Product is something that a device may have in one of several versions.
type Product struct {
	// Name is what patches call it, as "Acme.Lamp": letters, digits and ".+-_". It is there once for an architecture.
	Name string

	// Arch is x86, x64 or arm64. Those of x86 are looked for in the registry's view of 32 bits.
	Arch string

	// Title is what Windows lists it as: the value DisplayName of its uninstall key, in ASCII, whatever the case. "{version}" in it stands
	// for the value DisplayVersion. It is "" with NSIS.
	Title string

	// NSIS is set for products that come as setup programs of the Nullsoft Scriptable Install System, and nil for those of Windows Installer.
	NSIS *NSIS

	// Packages are its versions, in any order; there is one at least.
	Packages []Package
}

// NSIS says how a product is known and removed whose setup programs were made by the Nullsoft Scriptable Install System.
type NSIS struct {
	// Key is the name of its uninstall key, whatever the case: "AcmeTorch".
	Key string

	// Remove is its uninstaller, an absolute path of the device, and the arguments with which that asks nothing: "/S". It is not hashed: it is what a
	// setup program has written. One that goes on after its end, as they do without "_?=FOLDER", is waited for as long as Config.Lock says.
	// nil removes nothing: an older version is installed over a newer one.
	Remove []string
}

// A Package is one version of a product.
type Package struct {
	// Version is what the uninstall key has as DisplayVersion once it is installed, word by word.
	Version string

	// File is an absolute path on the device, or of a share: `C:\ProgramData\Acme\lamp-1.1.0.msi`.
	File string

	// SHA256 is that of the file, in hexadecimal digits.
	SHA256 string

	// Args are public properties for msiexec, as "ADDDESKTOPICON=0", without blanks and quotes. Those that bring in other files, that
	// remove something, or that restart the device are refused. With NSIS they are the arguments with which the setup asks nothing, "/S" first, word by word;
	// there is one at least, and none has quotes.
	Args []string
}

// New returns the fleet of c. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends what is under way.
func New(c Config) (*manager.Fleet, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: config: %w: %w", Manager, err, patch.ErrPermanent)
	}
	return manager.New(c.Config, manager.Kind{Name: Manager, Scheme: version.WinGet, Words: words(), Restart: windows.Restart(),
		Open: func(m *manager.Access) manager.Tool { return &machine{Access: m, catalogue: &c} }})
}

func words() grammar.Grammar {
	g := grammar.WinGet()
	g.Manager = Manager
	return g
}

// is32 says whether the keys of a product are in the view of 32 bits.
func (p *Product) is32() bool { return p.Arch == "x86" }

// find returns a version of a product, or nil.
func (c *Config) find(name, arch, v string) *Package {
	p := c.product(name, arch)
	if p == nil {
		return nil
	}
	if at := slices.IndexFunc(p.Packages, func(k Package) bool { return k.Version == v }); at >= 0 {
		return &p.Packages[at]
	}
	return nil
}

func (c *Config) product(name, arch string) *Product {
	if at := slices.IndexFunc(c.Products, func(p Product) bool { return p.Name == name && p.Arch == arch }); at >= 0 {
		return &c.Products[at]
	}
	return nil
}

func (c *Config) check() error {
	if len(c.Products) == 0 {
		return wrong("Products", "there is none")
	}
	if c.Logs != "" && !isPath(c.Logs) {
		return wrong("Logs", "%.200q is no absolute path of Windows", c.Logs)
	}
	for i := range c.Products {
		p := &c.Products[i]
		if err := p.check(); err != nil {
			return fmt.Errorf("Products[%d].%w", i, err)
		}
		for j := range i {
			q := &c.Products[j]
			switch {
			case p.Name == q.Name && p.Arch == q.Arch:
				return fmt.Errorf("Products[%d].Name: %s for %s is there twice", i, p.Name, p.Arch)
			case p.is32() == q.is32() && p.NSIS != nil && q.NSIS != nil && strings.EqualFold(p.NSIS.Key, q.NSIS.Key):
				return fmt.Errorf("Products[%d].NSIS.Key: %q is that of Products[%d] too", i, p.NSIS.Key, j)
			case p.is32() == q.is32() && p.NSIS == nil && q.NSIS == nil && strings.EqualFold(p.Title, q.Title):
				return fmt.Errorf("Products[%d].Title: %q is that of Products[%d] too", i, p.Title, j)
			}
		}
	}
	return nil
}

func (p *Product) check() error {
	if err := words().CheckName(p.Name); err != nil {
		return wrong("Name", "%w", err)
	}
	if !slices.Contains([]string{"x86", "x64", "arm64"}, p.Arch) {
		return wrong("Arch", "%.100q is none of x86, x64, arm64", p.Arch)
	}
	if p.NSIS != nil {
		if p.Title != "" {
			return wrong("Title", "%.200q is set, and NSIS is known by its key", p.Title)
		}
		if err := p.NSIS.check(); err != nil {
			return fmt.Errorf("NSIS.%w", err)
		}
	} else if strings.TrimSpace(p.Title) != p.Title || strings.ReplaceAll(p.Title, "{version}", "") == "" || !isPlain(p.Title) {
		return wrong("Title", "%.200q is no title of ASCII", p.Title)
	}
	if len(p.Packages) == 0 {
		return wrong("Packages", "there is none")
	}
	for i := range p.Packages {
		k := &p.Packages[i]
		if err := k.check(p.NSIS != nil); err != nil {
			return fmt.Errorf("Packages[%d].%w", i, err)
		}
		if slices.ContainsFunc(p.Packages[:i], func(o Package) bool { return o.Version == k.Version }) {
			return fmt.Errorf("Packages[%d].Version: %s is there twice", i, k.Version)
		}
	}
	return nil
}

func (n *NSIS) check() error {
	if n.Key == "" || !isPlain(n.Key) || strings.Contains(n.Key, `\`) {
		return wrong("Key", "%.200q is no name of a key", n.Key)
	}
	if n.Remove == nil {
		return nil
	}
	if len(n.Remove) < 2 || !isFile(n.Remove[0], ".exe") {
		return wrong("Remove", "%.200q is no absolute path of a program with arguments", n.Remove)
	}
	return checkWords("Remove", n.Remove[1:])
}

// checkWords passes arguments that mean the same with and without quotes around them.
func checkWords(field string, args []string) error {
	for _, arg := range args {
		if arg == "" || !isPlain(arg) || strings.ContainsAny(arg, ` "%^&|<>`) {
			return wrong(field, "%.200q is no argument that may be given", arg)
		}
	}
	return nil
}

func (k *Package) check(isNSIS bool) error {
	if err := words().CheckVersion(k.Version); err != nil {
		return wrong("Version", "%w", err)
	}
	if _, err := version.Parse(version.WinGet, k.Version); err != nil {
		return wrong("Version", "%w", err)
	}
	ext := ".msi"
	if isNSIS {
		ext = ".exe"
	}
	if !isFile(k.File, ext) {
		return wrong("File", "%.200q is no absolute path of a file that ends with %s", k.File, ext)
	}
	if sum, err := hex.DecodeString(k.SHA256); err != nil || len(sum) != 32 {
		return wrong("SHA256", "%.100q are not 64 hexadecimal digits", k.SHA256)
	}
	if isNSIS && len(k.Args) == 0 {
		return wrong("Args", "there is none, and a setup that asks waits for ever")
	}
	if isNSIS {
		return checkWords("Args", k.Args)
	}
	for i, arg := range k.Args {
		if !isProperty(arg) {
			return wrong(fmt.Sprintf("Args[%d]", i), "%.100q is no property that may be set", arg)
		}
	}
	return nil
}

// wrong names a field before what is wrong with it.
func wrong(field, format string, args ...any) error {
	return fmt.Errorf(field+": "+format, args...)
}

// isPlain says whether text is of printable ASCII.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// isPath passes absolute paths of drives and of shares, without what a shell, msiexec or a path of Windows takes for something else.
func isPath(p string) bool {
	drive := len(p) > 3 && p[1:3] == `:\` && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z'
	share := len(p) > 3 && strings.HasPrefix(p, `\\`) && p[2] != '\\'
	if !drive && !share || !isPlain(p) {
		return false
	}
	rest := p[2:]
	return !strings.ContainsAny(rest, `"*?<>|:/%^&`) && !strings.Contains(rest, `\\`) && !slices.Contains(strings.Split(rest, `\`), "..") &&
		strings.TrimRight(p, ` .\`) == p
}

// isFile does the same for those that end with ext.
func isFile(p, ext string) bool {
	return isPath(p) && strings.EqualFold(p[len(p)-4:], ext)
}

// isProperty passes "NAME=value" of public properties.
func isProperty(arg string) bool {
	name, value, ok := strings.Cut(arg, "=")
	const first = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if !ok || name == "" || !strings.Contains(first, name[:1]) || strings.Trim(name, first+"0123456789.") != "" {
		return false
	}
	switch name {
	case "TRANSFORMS", "TRANSFORMSATSOURCE", "PATCH", "REMOVE", "REBOOT", "REBOOTPROMPT":
		return false
	}
	return isPlain(value) && !strings.ContainsAny(value, ` "%^&|<>`)
}
