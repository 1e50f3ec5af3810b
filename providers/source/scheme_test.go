package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

func TestSchemeOf(t *testing.T) {
	for ecosystem, want := range map[string]version.Scheme{
		"Debian:12": version.Deb, "Ubuntu:22.04:LTS": version.Deb, "AlmaLinux:9": version.RPM, "Red Hat:enterprise_linux:9::baseos": version.RPM,
		"openSUSE:Leap 15.6": version.RPM, "rpm:redhat": version.RPM, "Alpine:v3.19": version.APK, "Arch": version.Arch, "npm": version.SemVer,
		"Go": version.SemVerLenient, "PyPI": version.PEP440, "NuGet": version.NuGet, "chocolatey": version.NuGet, "winget": version.WinGet,
		"GitHub Actions": "github-actions", "": "",
	} {
		require.Equal(t, want, source.SchemeOf(ecosystem), ecosystem)
	}
}
