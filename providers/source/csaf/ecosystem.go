package csaf

import (
	"cmp"
	"strings"

	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/purl"
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
	if p.Component.PURL != "" {
		if named, err := purl.Parse(p.Component.PURL); err == nil {
			return named.Ecosystem
		}
	}
	if p.Platform.Name == "" {
		return p.Publisher
	}
	return p.Publisher + ":" + p.Platform.Name
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

// scheme returns the scheme of the versions of a package: raw if it is not one of an operating system.
func scheme(p *purl.Package) version.Scheme {
	switch s := source.SchemeOf(p.Ecosystem); s {
	case version.RPM, version.Deb, version.APK:
		return s
	}
	return Raw
}
