package csaf

import (
	"cmp"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/patchflow/patchflow/patch/version"
)

// Ecosystem names the ecosystem of a place in OSV's words, as far as OSV has one. It looks at these, in this order:
//
//   - the CPE of the platform (or else of the component), if its vendor is redhat: "Red Hat:" and the CPE after the vendor, as
//     OSV has it, so that cpe:/o:redhat:enterprise_linux:9::baseos is "Red Hat:enterprise_linux:9::baseos";
//   - its name, for SUSE, whose CPE says less: "SUSE:Linux Enterprise Server 15 SP5", "openSUSE:Leap 15.6";
//   - its CPE again for Debian, Ubuntu, AlmaLinux and Rocky Linux: "Debian:12";
//   - the purl of the component: by its qualifier distro ("Debian:12"), or by its type ("npm", "PyPI");
//   - otherwise the publisher and the name of the platform, "msrc.microsoft.com:Azure Linux 3.0", which nobody else uses.
func Ecosystem(p Place) string {
	vendor, name, rest := splitCPE(cmp.Or(p.Platform.CPE, p.Component.CPE))
	first, _, _ := strings.Cut(rest, ":")
	switch {
	case vendor == "redhat":
		return "Red Hat:" + strings.TrimSuffix(name+":"+rest, ":")
	case vendor == "suse" || vendor == "opensuse":
		if name, found := strings.CutPrefix(p.Platform.Name, "SUSE "); found {
			return "SUSE:" + name
		}
		if name, found := strings.CutPrefix(p.Platform.Name, "openSUSE "); found {
			return "openSUSE:" + name
		}
	case vendor == "debian" && name == "debian_linux" && first != "":
		return "Debian:" + first
	case vendor == "canonical" && name == "ubuntu_linux" && first != "":
		return "Ubuntu:" + first
	case vendor == "almalinux" && name == "almalinux" && first != "":
		return "AlmaLinux:" + first
	case vendor == "rocky" && name == "rocky" && first != "":
		return "Rocky Linux:" + first
	}
	if purl, err := packageurl.FromString(p.Component.PURL); err == nil && p.Component.PURL != "" {
		return ofPURL(&purl)
	}
	if p.Platform.Name == "" {
		return p.Publisher
	}
	return p.Publisher + ":" + p.Platform.Name
}

func ofPURL(purl *packageurl.PackageURL) string {
	distro := purl.Qualifiers.Map()["distro"]
	for prefix, name := range map[string]string{"debian-": "Debian:", "ubuntu-": "Ubuntu:", "alpine-": "Alpine:v", "almalinux-": "AlmaLinux:", "rocky-": "Rocky Linux:"} {
		if release, found := strings.CutPrefix(distro, prefix); found && release != "" {
			if purl.Type == packageurl.TypeApk {
				release = majorMinor(release)
			}
			return name + release
		}
	}
	switch purl.Type {
	case packageurl.TypeNPM:
		return "npm"
	case packageurl.TypePyPi:
		return "PyPI"
	case packageurl.TypeGolang:
		return "Go"
	case packageurl.TypeMaven:
		return "Maven"
	case packageurl.TypeNuget:
		return "NuGet"
	case packageurl.TypeCargo:
		return "crates.io"
	case packageurl.TypeGem:
		return "RubyGems"
	case packageurl.TypeComposer:
		return "Packagist"
	}
	if purl.Namespace == "" {
		return purl.Type
	}
	return purl.Type + ":" + purl.Namespace
}

// majorMinor returns "3.19" of "3.19.1", as Alpine's ecosystems are called.
func majorMinor(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// splitCPE returns vendor and product of a CPE, and what follows them, without what is empty at the end.
func splitCPE(cpe string) (vendor, product, rest string) {
	var parts []string
	if after, found := strings.CutPrefix(cpe, "cpe:2.3:"); found {
		parts = strings.Split(after, ":")
		for i := range parts {
			if parts[i] == "*" || parts[i] == "-" {
				parts[i] = ""
			}
			parts[i] = strings.ReplaceAll(parts[i], `\`, "")
		}
	} else if after, found := strings.CutPrefix(cpe, "cpe:/"); found {
		parts = strings.Split(after, ":")
	}
	if len(parts) < 3 {
		return "", "", ""
	}
	return strings.ToLower(parts[1]), parts[2], strings.TrimRight(strings.Join(parts[3:], ":"), ":")
}

// scheme returns the scheme of the versions of a type of purl.
func scheme(purlType string) version.Scheme {
	switch purlType {
	case packageurl.TypeRPM:
		return version.RPM
	case packageurl.TypeDebian:
		return version.Deb
	case packageurl.TypeApk:
		return version.APK
	}
	return Raw
}
