package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// rootOf makes the root folder of a machine.
func rootOf(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
	}
	return root
}

const (
	osRelease = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"
	status    = "Package: jq\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u1\n\n" +
		"Package: sed\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 4.9-1\n\n"
	release  = "Codename: bookworm-security\nLabel: Debian-Security\nDate: Sat, 21 Nov 2026 00:53:02 UTC\n"
	release2 = "Codename: bookworm\nLabel: Debian\nDate: Sat, 11 Jul 2026 09:00:00 UTC\n"
)

func TestLocal(t *testing.T) {
	machine := map[string]string{
		"etc/os-release": osRelease, "var/lib/dpkg/status": status,
		"var/lib/apt/lists/s_Packages": "Package: jq\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u3\n\n", "var/lib/apt/lists/s_Release": release,
		"var/lib/apt/lists/m_Packages": "Package: sed\nArchitecture: amd64\nVersion: 4.9-1+deb12u1\n\n", "var/lib/apt/lists/m_Release": release2,
	}
	with := func(changes map[string]string) map[string]string {
		files := make(map[string]string)
		for name, content := range machine {
			files[name] = content
		}
		for name, content := range changes {
			if delete(files, name); content != "-" {
				files[name] = content
			}
		}
		return files
	}
	noLists := map[string]string{"var/lib/apt/lists/s_Packages": "-", "var/lib/apt/lists/s_Release": "-",
		"var/lib/apt/lists/m_Packages": "-", "var/lib/apt/lists/m_Release": "-"}
	const nothing = "Nothing that these lists know of."
	for _, row := range []struct {
		name      string
		files     map[string]string
		want, not []string
	}{
		{"security comes first", machine, []string{
			"This machine: Debian:12, 2 packages", "2 lists, the newest of an archive as of 21 November 2026",
			"security: 1\n  jq 1.6-2.1+deb12u3: jq\n\nbugfix: 1\n  sed 4.9-1+deb12u1: sed (held)\n", "Nothing was changed."}, []string{"Unknown", nothing}},
		{"no lists", with(noLists), []string{"There is no list", "Unknown. Nothing is known to be missing"}, []string{nothing}},
		{"empty lists", with(map[string]string{"var/lib/apt/lists/s_Packages": "", "var/lib/apt/lists/m_Packages": ""}),
			[]string{"Unknown. Nothing is known to be missing"}, []string{nothing}},
		{"nothing missing", with(map[string]string{"var/lib/dpkg/status": "Package: jq\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u3\n\n"}),
			[]string{nothing}, []string{"Unknown"}},
		{"nothing missing by lists that are out of date", with(map[string]string{
			"var/lib/dpkg/status":         "Package: jq\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u3\n\n",
			"var/lib/apt/lists/s_Release": release + "Valid-Until: Sun, 22 Nov 2020 00:53:02 UTC\n"}),
			[]string{"1 of them are out of date", "Unknown"}, []string{nothing}},
		{"a package that is damaged", with(map[string]string{"var/lib/dpkg/status": "Package: jq\nStatus: install ok half-installed\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u3\n\n"}),
			[]string{"Unknown", "dpkg was not covered completely"}, []string{nothing}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, assessLocal(t.Context(), rootOf(t, row.files), &out))
			for _, text := range row.want {
				require.Contains(t, out.String(), text)
			}
			for _, text := range row.not {
				require.NotContains(t, out.String(), text)
			}
		})
	}
}

func TestLocalNeedsDebianOrUbuntu(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no os-release": {"etc/passwd": ""},
		"no dpkg":       {"etc/os-release": "ID=fedora\nVERSION_ID=43\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := assessLocal(t.Context(), rootOf(t, files), &out)
			require.True(t, errors.Is(err, errNotDebian), "%v", err)
			require.Empty(t, out.String())
		})
	}
}
