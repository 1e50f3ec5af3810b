package csaf

import (
	"strings"

	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source/purl"
)

// An identity is what a product is, as far as its purl or its name tells.
type identity struct {
	name, source string // one of the two: a binary or a source package
	version      string // "" if it is not about one
	span         string // instead of a version: "<129.0.2792.52"
	scheme       version.Scheme
	arch, module string
}

// identityOfPURL reads a package URL.
func identityOfPURL(text string) (identity, bool) {
	p, err := purl.Parse(text)
	if err != nil {
		return identity{}, false
	}
	return identity{name: p.Name, source: p.Source, version: p.Version.Text, scheme: scheme(&p), arch: p.Arch, module: p.Module}, true
}

// sourced makes a package of a source architecture a source package.
func (id identity) sourced() identity {
	switch id.arch {
	case "src", "nosrc", "source":
		id.source, id.name, id.arch = id.name, "", ""
	}
	id.version = strings.TrimPrefix(id.version, "0:")
	return id
}

// moduleStream returns "nodejs:18" of "nodejs:18:8080020230719:63b34585".
func moduleStream(text string) string {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return ""
	}
	return parts[0] + ":" + parts[1]
}

// moduleOf returns the module stream that a product is: its purl has the type rpmmod, or, of older documents, its name has
// name, stream, version and context.
func moduleOf(p *item) string {
	if after, found := strings.CutPrefix(p.PURL, "pkg:rpmmod/"); found {
		if p, err := purl.Parse("pkg:generic/" + after); err == nil {
			return moduleStream(p.Name + ":" + p.Version.Text)
		}
	}
	if p.PURL == "" && p.CPE == "" && strings.Count(p.ID, ":") == 3 {
		return moduleStream(p.ID)
	}
	return ""
}

// identityOfRPM reads the name of an RPM package: name, then epoch, version and release if it has them, and architecture.
// Without an epoch and an architecture, "gcc-7-32bit" may be a name as well as a version; sure says that it has a version.
func identityOfRPM(text string, sure bool) identity {
	id := identity{name: text, scheme: version.RPM}
	rest := text
	if i := strings.LastIndexByte(rest, '.'); i > 0 && isArch(rest[i+1:]) {
		rest, id.arch = rest[:i], rest[i+1:]
		sure = true
	}
	id.name = rest
	if i := strings.LastIndexByte(rest, '-'); i > 0 {
		if j := strings.LastIndexByte(rest[:i], '-'); j > 0 {
			v := rest[j+1:]
			epoch, _, found := strings.Cut(v, ":")
			if found = found && digits(epoch); (sure || found) && i > j+1 && i < len(rest)-1 {
				id.name, id.version = rest[:j], v
			}
		}
	}
	return id.sourced()
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isArch(s string) bool {
	switch s {
	case "noarch", "src", "nosrc", "x86_64", "i386", "i486", "i586", "i686", "athlon", "aarch64", "armv6hl", "armv7hl", "armv7l",
		"ppc", "ppc64", "ppc64le", "s390", "s390x", "ia64", "riscv64", "loongarch64", "sparc", "sparc64":
		return true
	}
	return false
}
