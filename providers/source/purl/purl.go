// Package purl reads and writes package URLs (purl, ECMA-427) as patchflow names packages: by ecosystem in OSV's words, name, version
// in the ecosystem's own scheme, architecture and module stream. So what an SBOM lists can be held against a catalog, and what a
// catalog says can be told to others.
package purl

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// A Package is what a package URL names.
type Package struct {
	// Ecosystem is in OSV's words: "Debian:12", "npm". A type that OSV has no word for is an ecosystem of its own, with the namespace
	// if there is one, "rpm:redhat": which product of Red Hat a package is of, its purl does not say.
	Ecosystem string

	Name   string // of a binary package, or of what has no source packages; "" for a source package
	Source string // of a source package: its architecture is "src" or "source"
	Arch   string
	Module string // the stream of a module: "nodejs:18"

	Version version.Version // zero if the purl has none
}

// Software returns p as an inventory lists it, with the package manager that answers for it.
func (p Package) Software(manager string) inventory.Software {
	return inventory.Software{
		Manager: manager, Ecosystem: p.Ecosystem, Name: cmp.Or(p.Name, p.Source), Arch: p.Arch, Module: p.Module, Version: p.Version,
	}
}

// Parse reads a package URL. The release of a distribution is in its qualifier distro, without which the ecosystem is that of
// no release, "Debian". Of qualifiers it knows arch, epoch, rpmmod and distro. The error quotes the text.
func Parse(text string) (Package, error) {
	u, err := packageurl.FromString(text)
	if err == nil && u.Name == "" {
		err = errors.New("has no name")
	}
	if err != nil {
		const most = 200
		return Package{}, fmt.Errorf("purl: %.*q: %w", most, text, err)
	}
	q := u.Qualifiers.Map()
	p := Package{Ecosystem: ecosystemOf(&u, q["distro"]), Name: u.Name, Arch: q["arch"]}
	text = u.Version
	switch u.Type {
	case packageurl.TypeRPM:
		if epoch := q["epoch"]; epoch != "" && epoch != "0" && text != "" && !strings.Contains(text, ":") {
			text = epoch + ":" + text
		}
		text = strings.TrimPrefix(text, "0:")
		if name, stream, found := strings.Cut(q["rpmmod"], ":"); found && name != "" {
			stream, _, _ = strings.Cut(stream, ":")
			if stream != "" {
				p.Module = name + ":" + stream
			}
		}
	case packageurl.TypeMaven:
		if u.Namespace != "" {
			p.Name = u.Namespace + ":" + u.Name
		}
	case packageurl.TypeNPM, packageurl.TypeGolang, packageurl.TypeComposer, packageurl.TypeSwift:
		if u.Namespace != "" {
			p.Name = u.Namespace + "/" + u.Name
		}
	}
	switch p.Arch {
	case "src", "nosrc", "source":
		p.Source, p.Name, p.Arch = p.Name, "", ""
	}
	if text != "" {
		p.Version = version.Version{Scheme: source.SchemeOf(p.Ecosystem), Text: text}
	}
	return p, nil
}

// String returns the package URL of p in canonical form: [Parse] reads it back to p, but for an ecosystem that has no type of
// its own. Then the type is "generic" and the ecosystem is in the qualifier ecosystem.
func (p Package) String() string {
	u := packageurl.PackageURL{Name: cmp.Or(p.Name, p.Source), Version: p.Version.Text}
	q := make(map[string]string)
	base, release, _ := strings.Cut(p.Ecosystem, ":")
	if d := distributionOf(base); d != nil {
		u.Type, u.Namespace = d.kind, d.namespace
		if release != "" {
			q["distro"] = d.distro + "-" + strings.TrimPrefix(release, "v")
			if base == "SUSE" || base == "openSUSE" {
				q["distro"] = distroOfSUSE(p.Ecosystem)
			}
		}
	} else if kind := typeOf(p.Ecosystem); kind != "" {
		u.Type = kind
	} else if u.Type, u.Namespace, _ = strings.Cut(p.Ecosystem, ":"); !systems(u.Type) {
		u.Type, u.Namespace = packageurl.TypeGeneric, ""
		q["ecosystem"] = p.Ecosystem
	}
	switch u.Type {
	case packageurl.TypeMaven:
		u.Namespace, u.Name = split(u.Name, ":")
	case packageurl.TypeNPM, packageurl.TypeGolang, packageurl.TypeComposer, packageurl.TypeSwift:
		u.Namespace, u.Name = split(u.Name, "/")
	case packageurl.TypeRPM:
		if epoch, rest, found := strings.Cut(u.Version, ":"); found {
			q["epoch"], u.Version = epoch, rest
		}
		if p.Module != "" {
			q["rpmmod"] = p.Module
		}
	}
	if p.Arch != "" {
		q["arch"] = p.Arch
	}
	if p.Name == "" && p.Source != "" {
		q["arch"] = "source"
		if u.Type == packageurl.TypeRPM {
			q["arch"] = "src"
		}
	}
	u.Qualifiers = packageurl.QualifiersFromMap(q)
	_ = u.Normalize() // what it finds wrong, a catalog may hold
	return u.ToString()
}

// split parts a name at the last separator.
func split(name, by string) (namespace, rest string) {
	if i := strings.LastIndex(name, by); i > 0 {
		return name[:i], name[i+len(by):]
	}
	return "", name
}
