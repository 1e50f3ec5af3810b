package apt_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/apt"
)

func entry(name, status, v string) string {
	return "Package: " + name + "\nStatus: " + status + "\nArchitecture: amd64\nVersion: " + v + "\nDescription: x\n Status: no\n\n"
}

func software(name, source, v string, held bool) inventory.Software {
	return inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: name, Source: source, Arch: "amd64",
		Version: version.Version{Scheme: version.Deb, Text: v}, Held: held}
}

func TestReadStatusListsWhatIsInstalled(t *testing.T) {
	got, err := apt.ReadStatus(strings.NewReader(
		entry("bash", "install ok installed", "5.2.15-2+b8")+
			entry("libssl3", "install ok installed", "3.0.16-1\nSource: openssl")+
			entry("appstream", "install ok installed", "0.16.1-2+b1\nSource: appstream (0.16.1-2)")+
			entry("libfoo1", "install ok installed", "1.0-1+b2\nSource: foo (1.0-1)")+
			entry("jq", "hold ok installed", "1.6-2.1")+
			entry("gone", "deinstall ok config-files", "1")+
			entry("doomed", "deinstall ok installed", "1")+
			entry("never", "unknown ok not-installed", "1")), "Debian:12")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]inventory.Software{
		software("bash", "", "5.2.15-2+b8", false),
		software("libssl3", "openssl", "3.0.16-1", false),
		software("appstream", "", "0.16.1-2+b1", false),
		software("libfoo1", "foo", "1.0-1+b2", false),
		software("jq", "", "1.6-2.1", true),
		software("doomed", "", "1", false),
	}, got))

	none, err := apt.ReadStatus(strings.NewReader(""), "Debian:12")
	require.NoError(t, err)
	require.NotNil(t, none, "an empty file was read whole")
	require.Empty(t, none)
}

func TestReadStatusTellsDamagedPackages(t *testing.T) {
	for _, state := range []string{"half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"} {
		got, err := apt.ReadStatus(strings.NewReader(entry("bash", "install ok installed", "1")+entry("dbus", "install ok "+state, "2")), "Debian:12")
		require.Equal(t, []inventory.Software{software("bash", "", "1", false)}, got)
		require.ErrorIs(t, err, patch.ErrCorrupt)
		require.Equal(t, patch.Corrupt, patch.FaultOf(err))
		var damaged *apt.DamagedError
		require.ErrorAs(t, err, &damaged)
		require.Equal(t, apt.DamagedError{Name: "dbus", Arch: "amd64", Version: "2", State: state, Line: 8}, *damaged)
		require.ErrorContains(t, err, "apt: status: line 8: package dbus 2 amd64 is "+state)
	}
	_, err := apt.ReadStatus(strings.NewReader(entry("dbus", "install reinstreq installed", "2")), "Debian:12")
	require.ErrorIs(t, err, patch.ErrCorrupt)
	require.ErrorContains(t, err, "reinst-required installed")
}

func TestReadStatusTellsUnreadableStanzas(t *testing.T) {
	for _, row := range []struct{ bad, want string }{
		{"Package: x\nVersion: 1\n\n", `stanza 2, line 8: package "x": field Status is ""`},
		{entry("x", "install ok", "1"), `package "x": field Status is "install ok"`},
		{entry("x", "install ok perfect", "1"), `package "x": field Status is "install ok perfect"`},
		{"Status: install ok installed\nVersion: 1\n\n", "no field Package"},
		{entry("x", "install ok installed", "one"), `package "x": field Version: version: deb "one"`},
		{"Package: x\nPackage: y\n\n", "stanza 2, line 9: field Package stands twice"},
	} {
		got, err := apt.ReadStatus(strings.NewReader(entry("a", "install ok installed", "1")+row.bad+entry("z", "install ok installed", "1")), "Debian:12")
		require.Len(t, got, 2, row.bad)
		require.ErrorIs(t, err, patch.ErrRecord)
		require.ErrorContains(t, err, row.want)
	}
}

func TestReadStatusCutShortIsNoList(t *testing.T) {
	whole := entry("a", "install ok installed", "1") + entry("z", "install ok installed", "1.2")
	got, err := apt.ReadStatus(strings.NewReader(whole[:strings.Index(whole, "1.2")+2]), "Debian:12")
	require.Nil(t, got)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "apt: status: line 11: ")

	broken := errors.New("disk on fire")
	got, err = apt.ReadStatus(io.MultiReader(strings.NewReader(whole), iotest.ErrReader(broken)), "Debian:12")
	require.Nil(t, got)
	require.ErrorIs(t, err, broken)
}

func FuzzReadStatus(f *testing.F) {
	f.Add(entry("a", "install ok installed", "1") + entry("b", "hold ok unpacked", "1"))
	f.Add("Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (2)\n")
	f.Fuzz(func(t *testing.T, status string) {
		if len(status) > 4096 {
			t.Skip("longer than need be")
		}
		got, err := apt.ReadStatus(strings.NewReader(status), "Debian:12")
		require.False(t, got == nil && err == nil)
		for _, s := range got {
			require.NotEmpty(t, s.Name)
			_, err := s.Version.Key()
			require.NoError(t, err)
		}
	})
}
