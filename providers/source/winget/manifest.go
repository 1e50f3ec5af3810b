package winget

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// The bounds of one manifest file, and of the folders that it lies in. The largest real ones have 300 KiB.
const (
	maxManifest = 1 << 20
	maxDepth    = 16
)

// A document is one manifest file.
type document struct {
	ID              string      `yaml:"PackageIdentifier"`
	Version         string      `yaml:"PackageVersion"`
	Type            string      `yaml:"ManifestType"`
	ManifestVersion string      `yaml:"ManifestVersion"`
	Name            string      `yaml:"PackageName"`
	Homepage        string      `yaml:"PackageUrl"`
	NotesURL        string      `yaml:"ReleaseNotesUrl"`
	Common          installer   `yaml:",inline"`
	Installers      []installer `yaml:"Installers"`
}

// An installer is what stands there about one installer. What stands at the top of a file goes for those that do not say
// otherwise.
type installer struct {
	Architecture    string       `yaml:"Architecture"`
	URL             string       `yaml:"InstallerUrl"`
	SHA256          string       `yaml:"InstallerSha256"`
	ProductCode     string       `yaml:"ProductCode"`
	PackageFamily   string       `yaml:"PackageFamilyName"`
	ReleaseDate     string       `yaml:"ReleaseDate"`
	UpgradeBehavior string       `yaml:"UpgradeBehavior"`
	ReturnCodes     []returnCode `yaml:"ExpectedReturnCodes"`
	Entries         []struct {
		ProductCode    string `yaml:"ProductCode"`
		UpgradeCode    string `yaml:"UpgradeCode"`
		DisplayVersion string `yaml:"DisplayVersion"`
	} `yaml:"AppsAndFeaturesEntries"`
}

type returnCode struct {
	Response string `yaml:"ReturnResponse"`
}

// A manifest is the files about one version of a package.
type manifest struct {
	where     string // the first file
	ID        string
	Version   string
	installer *document // or the single file
	locale    *document // the default one
	err       error
}

// folder lists the manifests in a folder, then those in the folders below it.
func (l *listing) folder(name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: more than %d folders deep: %w", name, maxDepth, source.ErrTooLarge)
	}
	entries, err := fs.ReadDir(l.config.Manifests, name)
	if err != nil {
		return err
	}
	var order []*manifest
	type key struct{ id, version string }
	byKey := make(map[key]*manifest)
	for _, e := range entries {
		file := path.Join(name, e.Name())
		if e.IsDir() || !isYAML(file) {
			continue
		}
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if l.files++; l.files > l.config.Limits.Max() {
			return fmt.Errorf("more than %d files: %w", l.config.Limits.Max(), source.ErrTooLarge)
		}
		content, err := l.content(file)
		if err != nil && !errors.Is(err, source.ErrTooLarge) {
			return err
		}
		var d document
		if err == nil {
			d, err = parse(content)
		}
		if err != nil {
			order = append(order, &manifest{where: file, err: err})
			continue
		}
		k := key{d.ID, d.Version}
		m := byKey[k]
		if single := d.Type == "singleton" || d.Type == "merged"; m == nil || single {
			m = &manifest{where: file, ID: d.ID, Version: d.Version}
			order = append(order, m)
			if !single {
				byKey[k] = m
			}
		}
		if err := m.add(&d); err != nil {
			m.err = fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	for _, m := range order {
		p, err := m.patch()
		if err := l.give(m.where, p, err); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := l.folder(path.Join(name, e.Name()), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func (l *listing) content(name string) ([]byte, error) {
	f, err := l.config.Manifests.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(content) > maxManifest {
		return nil, fmt.Errorf("a file of more than %d bytes: %w", maxManifest, source.ErrTooLarge)
	}
	return content, nil
}

// parse reads one file.
func parse(content []byte) (document, error) {
	var d document
	dec := yaml.NewDecoder(bytes.NewReader(content))
	if err := dec.Decode(&d); err != nil {
		var faults *yaml.TypeError
		switch {
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		case errors.As(err, &faults) && len(faults.Errors) > 1:
			err = fmt.Errorf("%s, and %d more", faults.Errors[0], len(faults.Errors)-1)
		}
		return document{}, err
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		return document{}, errors.New("more than one document")
	}
	if !strings.HasPrefix(d.ManifestVersion, "1.") {
		return document{}, fmt.Errorf("ManifestVersion is %q, want 1.x: %w", abbreviate(d.ManifestVersion), errors.ErrUnsupported)
	}
	return d, nil
}

// add takes a file into the manifest.
func (m *manifest) add(d *document) error {
	part := func(of **document) error {
		if *of != nil {
			return fmt.Errorf("a second file of type %s", d.Type)
		}
		*of = d
		return nil
	}
	switch d.Type {
	case "singleton", "merged":
		m.installer, m.locale = d, d
	case "installer":
		return part(&m.installer)
	case "defaultLocale":
		return part(&m.locale)
	case "version", "locale":
	default:
		return fmt.Errorf("ManifestType is %q", abbreviate(d.Type))
	}
	return nil
}

// patch makes a patch of a manifest.
func (m *manifest) patch() (patch.Patch, error) {
	switch {
	case m.err != nil:
		return patch.Patch{}, m.err
	case m.installer == nil || len(m.installer.Installers) == 0:
		return patch.Patch{}, fmt.Errorf("%s %s has no installers", abbreviate(m.ID), abbreviate(m.Version))
	}
	title := ""
	var references []string
	if m.locale != nil {
		title = m.locale.Name
		for _, link := range []string{m.locale.NotesURL, m.locale.Homepage} {
			if link != "" && !slices.Contains(references, link) {
				references = append(references, link)
			}
		}
	}
	p, err := newPatch(m.ID, m.Version, title)
	if err != nil {
		return patch.Patch{}, err
	}
	p.References = references
	var codes, upgrades, families, versions, architectures, behaviours values
	known := make(map[patch.Artefact]bool)
	for i, one := range m.installer.Installers {
		one = one.over(&m.installer.Common)
		if one.restarts() {
			p.Reboot = patch.RebootMaybe
		}
		file, err := one.artefact()
		if err != nil {
			return patch.Patch{}, fmt.Errorf("%s: installer %d: %w", p.ID, i+1, err)
		}
		if file.Name != "" && !known[file] {
			known[file] = true
			p.Packages[0].Artefacts = append(p.Packages[0].Artefacts, file)
		}
		if one.ReleaseDate != "" {
			day, err := time.Parse(time.DateOnly, one.ReleaseDate)
			if err != nil {
				return patch.Patch{}, fmt.Errorf("%s: installer %d: ReleaseDate is %q", p.ID, i+1, abbreviate(one.ReleaseDate))
			}
			if p.Released.IsZero() || day.Before(p.Released) {
				p.Released = day
			}
		}
		codes.add(one.ProductCode)
		families.add(one.PackageFamily)
		architectures.add(one.Architecture)
		behaviours.add(one.UpgradeBehavior)
		for _, e := range one.Entries {
			codes.add(e.ProductCode)
			upgrades.add(e.UpgradeCode)
			versions.add(e.DisplayVersion)
		}
	}
	p.Native = make(map[string]string)
	for name, list := range map[string]values{
		NativeProductCodes: codes, NativeUpgradeCodes: upgrades, NativePackageFamilies: families, NativeDisplayVersions: versions,
		NativeArchitectures: architectures, NativeUpgradeBehavior: behaviours,
	} {
		if len(list.order) > 0 {
			p.Native[name] = strings.Join(list.order, "\n")
		}
	}
	return p, nil
}

// over returns an installer with what goes for all where it does not say otherwise.
func (one installer) over(all *installer) installer {
	for _, field := range []struct {
		to   *string
		from string
	}{
		{&one.Architecture, all.Architecture}, {&one.ProductCode, all.ProductCode}, {&one.PackageFamily, all.PackageFamily},
		{&one.ReleaseDate, all.ReleaseDate}, {&one.UpgradeBehavior, all.UpgradeBehavior},
	} {
		if *field.to == "" {
			*field.to = field.from
		}
	}
	if one.ReturnCodes == nil {
		one.ReturnCodes = all.ReturnCodes
	}
	if one.Entries == nil {
		one.Entries = all.Entries
	}
	return one
}

// restarts says whether one of the return codes of an installer means that it needs a restart, or begins one.
func (one *installer) restarts() bool {
	return slices.ContainsFunc(one.ReturnCodes, func(c returnCode) bool {
		return c.Response == "rebootRequiredToFinish" || c.Response == "rebootRequiredForInstall" || c.Response == "rebootInitiated"
	})
}

// artefact returns the file of an installer. One of the Microsoft Store has none.
func (one *installer) artefact() (patch.Artefact, error) {
	a := patch.Artefact{Name: one.URL}
	if one.SHA256 != "" {
		sum := strings.ToLower(one.SHA256)
		if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
			return patch.Artefact{}, fmt.Errorf("InstallerSha256 is %q", abbreviate(one.SHA256))
		}
		a.Digest = patch.Digest("sha256:" + sum)
	}
	return a, nil
}

// Values are different texts in the order in which they came.
type values struct {
	order []string
	known map[string]bool
}

func (v *values) add(text string) {
	if text == "" || v.known[text] || strings.Contains(text, "\n") {
		return
	}
	if v.known == nil {
		v.known = make(map[string]bool)
	}
	v.known[text] = true
	v.order = append(v.order, text)
}
