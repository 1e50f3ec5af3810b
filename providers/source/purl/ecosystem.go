package purl

import (
	"strings"

	"github.com/package-url/packageurl-go"
)

// A distribution says how the purls of one name it.
type distribution struct {
	ecosystem string // without its release
	kind      string // the type
	namespace string
	distro    string // what the qualifier begins with
	parts     int    // how many numbers of a release the ecosystem has; 0 means all
}

func distributions() []distribution {
	return []distribution{
		{"Debian", packageurl.TypeDebian, "debian", "debian", 1},
		{"Ubuntu", packageurl.TypeDebian, "ubuntu", "ubuntu", 2},
		{"Alpine", packageurl.TypeApk, "alpine", "alpine", 2},
		{"Wolfi", packageurl.TypeApk, "wolfi", "wolfi", 0},
		{"Chainguard", packageurl.TypeApk, "chainguard", "chainguard", 0},
		{"AlmaLinux", packageurl.TypeRPM, "almalinux", "almalinux", 1},
		{"Rocky Linux", packageurl.TypeRPM, "rocky-linux", "rocky", 1},
		{"openSUSE", packageurl.TypeRPM, "opensuse", "opensuse", 0},
		{"SUSE", packageurl.TypeRPM, "suse", "sles", 0},
		{"openEuler", packageurl.TypeRPM, "openeuler", "openeuler", 0},
		{"Mageia", packageurl.TypeRPM, "mageia", "mageia", 1},
		{"Azure Linux", packageurl.TypeRPM, "azure-linux", "azurelinux", 1},
		{"Arch", packageurl.TypeAlpm, "arch", "arch", 0},
	}
}

func distributionOf(ecosystem string) *distribution {
	for _, d := range distributions() {
		if d.ecosystem == ecosystem {
			return &d
		}
	}
	return nil
}

// ecosystemOf names the ecosystem of a purl.
func ecosystemOf(u *packageurl.PackageURL, distro string) string {
	for _, d := range distributions() {
		release, named := strings.CutPrefix(distro, d.distro+"-")
		if d.kind != u.Type || d.namespace != u.Namespace && d.distro != u.Namespace && !(named && u.Namespace == "") {
			continue
		}
		if !named || release == "" {
			return d.ecosystem
		}
		return d.ecosystem + ":" + d.release(release)
	}
	if u.Type == packageurl.TypeGeneric {
		if e := u.Qualifiers.Map()["ecosystem"]; e != "" {
			return e
		}
	}
	for _, e := range languages() {
		if e[1] == u.Type {
			return e[0]
		}
	}
	if u.Namespace == "" || !systems(u.Type) {
		return u.Type
	}
	return u.Type + ":" + u.Namespace
}

// release turns a release as distro has it into OSV's words.
func (d *distribution) release(text string) string {
	switch d.ecosystem {
	case "Alpine":
		return "v" + d.cut(text)
	case "openSUSE": // "leap-15.6", "tumbleweed"
		name, number, _ := strings.Cut(text, "-")
		return strings.TrimSpace(strings.ToUpper(name[:min(1, len(name))]) + name[min(1, len(name)):] + " " + number)
	case "SUSE": // of SLES: "15.5" is service pack 5
		major, pack, found := strings.Cut(text, ".")
		if found {
			return "Linux Enterprise Server " + major + " SP" + pack
		}
		return "Linux Enterprise Server " + major
	}
	return d.cut(text)
}

// cut leaves as many numbers of a release as the ecosystem has.
func (d *distribution) cut(text string) string {
	if d.parts == 0 {
		return text
	}
	parts := strings.Split(text, ".")
	return strings.Join(parts[:min(d.parts, len(parts))], ".")
}

// distroOfSUSE turns an ecosystem of SUSE into what the qualifier distro holds; "" if it is one that this has no form for.
func distroOfSUSE(ecosystem string) string {
	if rest, found := strings.CutPrefix(ecosystem, "openSUSE:"); found {
		return "opensuse-" + strings.ToLower(strings.ReplaceAll(rest, " ", "-"))
	}
	rest, found := strings.CutPrefix(ecosystem, "SUSE:Linux Enterprise Server ")
	major, pack, packed := strings.Cut(rest, " SP")
	switch {
	case !found:
		return ""
	case packed:
		return "sles-" + major + "." + pack
	}
	return "sles-" + major
}

// languages are ecosystems in OSV's words, and the types of their purls.
func languages() [][2]string {
	return [][2]string{
		{"npm", packageurl.TypeNPM}, {"PyPI", packageurl.TypePyPi}, {"Go", packageurl.TypeGolang}, {"Maven", packageurl.TypeMaven},
		{"NuGet", packageurl.TypeNuget}, {"crates.io", packageurl.TypeCargo}, {"RubyGems", packageurl.TypeGem},
		{"Packagist", packageurl.TypeComposer}, {"Hex", packageurl.TypeHex}, {"Pub", packageurl.TypePub},
		{"SwiftURL", packageurl.TypeSwift}, {"ConanCenter", packageurl.TypeConan}, {"CRAN", packageurl.TypeCran},
		{"Hackage", packageurl.TypeHackage}, {"Bitnami", packageurl.TypeBitnami},
	}
}

// typeOf returns the type of purls for a language; "" if the ecosystem is none.
func typeOf(ecosystem string) string {
	for _, e := range languages() {
		if e[0] == ecosystem {
			return e[1]
		}
	}
	return ""
}

// systems says whether packages of a type belong to an operating system, which the namespace names.
func systems(kind string) bool {
	switch kind {
	case packageurl.TypeDebian, packageurl.TypeRPM, packageurl.TypeApk, packageurl.TypeAlpm:
		return true
	}
	return false
}
