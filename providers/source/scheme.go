package source

import (
	"strings"

	"github.com/patchflow/patchflow/patch/version"
)

// SchemeOf returns the scheme of the versions of an ecosystem in OSV's words, with or without a release: "Debian:12". Where no
// scheme is known the answer is one of the ecosystem's own name, "github-actions" for "GitHub Actions": its versions compare with
// nothing. So "rpm:redhat" has the scheme rpm.
func SchemeOf(ecosystem string) version.Scheme {
	base, _, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "Debian", "Ubuntu":
		return version.Deb
	case "AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "openSUSE", "openEuler", "Mageia", "Azure Linux":
		return version.RPM
	case "Alpine", "Wolfi", "Chainguard":
		return version.APK
	case "Arch":
		return version.Arch
	case "npm", "crates.io":
		return version.SemVer
	case "Go", "Bitnami":
		return version.SemVerLenient // modules have "v1.2.3", and Bitnami "2020.04.23"
	case "PyPI":
		return version.PEP440
	case "NuGet", "chocolatey":
		return version.NuGet
	case "winget":
		return version.WinGet
	}
	return version.Scheme(strings.ReplaceAll(strings.ToLower(base), " ", "-"))
}
