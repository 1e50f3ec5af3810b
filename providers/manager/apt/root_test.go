package apt_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
)

const osRelease = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n"

// root writes files below a new folder.
func root(t *testing.T, files map[string]string) apt.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
	}
	return apt.Root{Dir: dir}
}

func TestScanReportsWhatItFinds(t *testing.T) {
	r := root(t, map[string]string{
		"etc/os-release":                   osRelease,
		"var/lib/dpkg/status":              entry("bash", "install ok installed", "5.2.15-2"),
		"var/lib/dpkg/updates/.keep":       "",
		"proc/sys/kernel/random/boot_id":   "dbb3a3c5-5f0a-4f2e-9d4f-0a3c1c6f0001\n",
		"run/reboot-required":              "*** System restart required ***\n",
		"usr/share/update-notifier/notify": "",
	})
	before := time.Now()
	scan, err := r.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, inventory.Tenant("acme"), scan.Tenant)
	require.Equal(t, inventory.DeviceID("ada"), scan.Device)
	require.False(t, scan.At.Before(before.Truncate(0)) || scan.At.After(time.Now()))
	require.Equal(t, []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: scan.At}}, scan.Coverage)
	require.Equal(t, []inventory.Software{software("bash", "", "5.2.15-2", false)}, scan.Software)
	require.Equal(t, "dbb3a3c5-5f0a-4f2e-9d4f-0a3c1c6f0001", scan.BootID)
	require.Equal(t, patch.Yes, scan.PendingReboot)
}

func TestScanKnowsThatNoRestartIsDueOnlyWhereSomebodyWouldSaySo(t *testing.T) {
	notifier := "usr/share/update-notifier/notify-reboot-required"
	bootID := "proc/sys/kernel/random/boot_id"
	for _, row := range []struct {
		name  string
		files []string
		want  patch.Tri
	}{
		{"nothing is known of a bare folder", nil, patch.Unknown},
		{"nor of a running system without the notifier", []string{bootID}, patch.Unknown},
		{"nor of a disk that is not running", []string{notifier}, patch.Unknown},
		{"a running system with the notifier would say so", []string{bootID, notifier}, patch.No},
		{"and says so", []string{bootID, notifier, "run/reboot-required"}, patch.Yes},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := make(map[string]string)
			for _, name := range row.files {
				files[name] = "x\n"
			}
			scan, err := root(t, files).Scan(t.Context(), inventory.Device{})
			require.NoError(t, err)
			require.Equal(t, row.want, scan.PendingReboot)
		})
	}
}

func TestScanSaysHowCompleteItIs(t *testing.T) {
	whole := entry("a", "install ok installed", "1")
	for _, row := range []struct {
		name   string
		files  map[string]string
		want   inventory.Status
		detail string
		listed int
	}{
		{"no system at all", nil, inventory.Failed, "os-release", 0},
		{"no status", map[string]string{"etc/os-release": osRelease}, inventory.Failed, "apt: status: ", 0},
		{"no number of the release", map[string]string{"etc/os-release": "ID=debian\n", "var/lib/dpkg/status": whole}, inventory.Failed, "debian has no VERSION_ID", 0},
		{"the other os-release", map[string]string{"usr/lib/os-release": osRelease, "var/lib/dpkg/status": whole}, inventory.Complete, "", 1},
		{"a status cut short", map[string]string{"etc/os-release": osRelease, "var/lib/dpkg/status": whole[:20]}, inventory.Failed, "in the middle of a line", 0},
		{"a damaged package", map[string]string{"etc/os-release": osRelease, "var/lib/dpkg/status": whole + entry("b", "install ok unpacked", "1")}, inventory.Partial, "package b 1 amd64 is unpacked", 1},
		{"several of them", map[string]string{"etc/os-release": osRelease, "var/lib/dpkg/status": whole + entry("b", "install ok unpacked", "1") + entry("c", "install ok unpacked", "1")}, inventory.Partial, "(and 1 more)", 1},
		{"dpkg at work", map[string]string{"etc/os-release": osRelease, "var/lib/dpkg/status": whole, "var/lib/dpkg/updates/0001": "x"}, inventory.Partial, "dpkg is at work or was interrupted, 1 changes", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			scan, err := root(t, row.files).Scan(t.Context(), inventory.Device{})
			require.NoError(t, err)
			require.Len(t, scan.Coverage, 1)
			require.Equal(t, row.want, scan.Coverage[0].Status)
			require.Contains(t, scan.Coverage[0].Detail, row.detail)
			require.Equal(t, row.detail == "", scan.Coverage[0].Detail == "")
			require.Len(t, scan.Software, row.listed)
		})
	}
}

func TestRootThatIsNotThereIsUnreachable(t *testing.T) {
	r := apt.Root{Dir: filepath.Join(t.TempDir(), "nowhere")}
	_, err := r.Scan(t.Context(), inventory.Device{})
	require.ErrorIs(t, err, patch.ErrUnreachable)
	_, err = r.Release()
	require.ErrorIs(t, err, patch.ErrUnreachable)
	_, err = r.Lists(t.Context())
	require.ErrorIs(t, err, patch.ErrUnreachable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Scan(ctx, inventory.Device{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestNothingOutsideOfTheRootIsRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("TestNothingOutsideOfTheRootIsRead skipped: symbolic links need a privilege on Windows")
	}
	outside := root(t, map[string]string{"os-release": osRelease})
	r := root(t, map[string]string{"etc/hostname": "x"})
	require.NoError(t, os.Symlink(filepath.Join(outside.Dir, "os-release"), filepath.Join(r.Dir, "etc", "os-release")))
	_, err := r.Release()
	require.Error(t, err)
}

func TestReadRelease(t *testing.T) {
	for _, row := range []struct {
		text, ecosystem, codename, err string
	}{
		{osRelease, "Debian:12", "bookworm", ""},
		{"ID=ubuntu\nVERSION_ID='22.04'\nVERSION_CODENAME=jammy\n", "Ubuntu:22.04", "jammy", ""},
		{"ID=raspbian\nVERSION_ID=11", "Raspbian:11", "", ""},
		{"VERSION_ID=11\n", "", "", "no ID"},
		{"ID=debian\nPRETTY_NAME=sid\n", "", "", "debian has no VERSION_ID"},
		{"ID=debian\nVERSION_ID=\"12/../13\"\n", "", "", `"12/../13" is neither an ID nor a version`},
	} {
		got, err := apt.ReadRelease(strings.NewReader(row.text))
		if row.err != "" {
			require.ErrorContains(t, err, row.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, row.ecosystem, got.Ecosystem())
		require.Equal(t, row.codename, got.Codename)
	}
}

func inRelease(codename, suite, label string) string {
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: " + label + "\nSuite: " + suite + "\nCodename: " + codename +
		"\nDate: Sat, 21 Nov 2026 00:53:02 UTC\nValid-Until: Sat, 28 Nov 2026 00:53:02 UTC\nSHA256:\n 12 3 main/x\n" +
		"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
}

// golden builds the golden machine as a root folder, with apt's lists in it.
func golden(t *testing.T, more map[string]string) apt.Root {
	t.Helper()
	files := map[string]string{"etc/os-release": osRelease}
	add := func(name, from string) {
		content, err := fs.ReadFile(bookworm.FS(), from)
		require.NoError(t, err)
		files[name] = string(content)
	}
	add("var/lib/dpkg/status", bookworm.StatusFile)
	const lists = "var/lib/apt/lists/"
	for origin, archive := range map[string]struct{ path, suite, label string }{
		"bookworm":          {"deb.example.org_debian_dists_bookworm", "oldstable", "Debian"},
		"bookworm-updates":  {"deb.example.org_debian_dists_bookworm-updates", "oldstable-updates", "Debian"},
		"bookworm-security": {"deb.example.org_debian-security_dists_bookworm-security", "oldstable-security", "Debian-Security"},
	} {
		add(lists+archive.path+"_main_binary-amd64_Packages.xz", bookworm.IndexFile(origin))
		files[lists+archive.path+"_InRelease"] = inRelease(origin, archive.suite, archive.label)
	}
	files[lists+"lock"] = ""
	for name, content := range more {
		files[name] = content
	}
	return root(t, files)
}

// A machine is assessed by its own files alone: what it runs, where apt's lists are, and what they offer.
func TestListsOfTheGoldenMachine(t *testing.T) {
	r := golden(t, nil)
	lists, err := r.Lists(t.Context())
	require.NoError(t, err)
	require.Len(t, lists, 3)
	security := lists[0]
	require.Equal(t, "bookworm-security", security.Origin)
	require.True(t, security.Security)
	require.Equal(t, "Debian-Security", security.Label)
	require.Equal(t, "oldstable-security", security.Suite)
	require.Equal(t, time.Date(2026, 11, 28, 0, 53, 2, 0, time.UTC), security.ValidUntil)
	require.Equal(t, time.Date(2026, 11, 21, 0, 53, 2, 0, time.UTC), security.Date)
	require.Equal(t, "bookworm-updates", lists[1].Origin)
	require.Equal(t, "bookworm", lists[2].Origin)
	require.False(t, lists[1].Security || lists[2].Security)

	release, err := r.Release()
	require.NoError(t, err)
	indices, err := r.Indices(t.Context())
	require.NoError(t, err)
	source, err := debian.New(debian.Config{Codename: release.Codename, Version: release.Version, Vendor: release.Vendor(), Indices: indices})
	require.NoError(t, err)
	classes := make(map[patch.Classification]int)
	for p, err := range source.Patches(t.Context(), patch.Query{}) {
		require.NoError(t, err)
		classes[p.Classification]++
	}
	require.Greater(t, classes[patch.ClassSecurity], 40)
	require.Greater(t, classes[patch.ClassBugfix], 300)
	require.Zero(t, classes[patch.ClassUnknown])

	scan, err := r.Scan(t.Context(), inventory.Device{})
	require.NoError(t, err)
	require.Len(t, scan.Software, 703)
	require.Equal(t, inventory.Complete, scan.Coverage[0].Status)
}

func TestListsTellWhatTheyCannotUse(t *testing.T) {
	const lists = "var/lib/apt/lists/"
	t.Run("a compression that is not read", func(t *testing.T) {
		r := golden(t, map[string]string{lists + "x_dists_y_main_binary-amd64_Packages.lzma": "\x5d\x00\x00\x80\x00\xffabc"})
		got, err := r.Lists(t.Context())
		require.Len(t, got, 3)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "apt: lists: x_dists_y_main_binary-amd64_Packages.lzma: bounded: lzma compression is not supported")
	})
	t.Run("a Release file that is none", func(t *testing.T) {
		r := golden(t, map[string]string{lists + "x_dists_y_InRelease": "Hello: world\n"})
		got, err := r.Lists(t.Context())
		require.Len(t, got, 3)
		require.ErrorContains(t, err, "x_dists_y_InRelease: it says neither Codename nor Suite nor Date")
	})
	t.Run("a date that is none", func(t *testing.T) {
		r := golden(t, map[string]string{lists + "x_dists_y_Release": "Codename: y\nDate: tomorrow\n"})
		_, err := r.Lists(t.Context())
		require.ErrorContains(t, err, `x_dists_y_Release: line 1: field Date: "tomorrow" is no date in UTC`)
	})
	t.Run("no list at all", func(t *testing.T) {
		_, err := root(t, map[string]string{lists + "lock": ""}).Lists(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = root(t, nil).Indices(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestListsFindTheReleaseFileOfAnArchive(t *testing.T) {
	const lists = "var/lib/apt/lists/"
	index := "Package: a\nVersion: 1\nArchitecture: all\n\n"
	got, err := root(t, map[string]string{
		lists + "h_ubuntu_dists_jammy_InRelease":                           inRelease("jammy", "jammy", "Ubuntu"),
		lists + "h_ubuntu_dists_jammy_main_binary-amd64_Packages":          index,
		lists + "h_ubuntu_dists_jammy-security_Release":                    "Suite: jammy-security\nCodename: jammy\nDate: Sat, 21 Nov 2026 00:53:02 UTC\n",
		lists + "h_ubuntu_dists_jammy-security_main_binary-amd64_Packages": index,
		lists + "h_flat_InRelease":                                         inRelease("", "", "Flat"),
		lists + "h_flat_Packages":                                          index,
		lists + "h_flat_sub_Release":                                       "Codename: sub\n",
		lists + "h_flat_sub_Packages":                                      index,
		lists + "h_alone_Packages":                                         index,
		lists + "h_alone_Packages.diff_Index":                              "x",
	}).Lists(t.Context())
	require.NoError(t, err)
	type list struct {
		origin   string
		security bool
	}
	var found []list
	for _, l := range got {
		found = append(found, list{l.Origin, l.Security})
		f, err := l.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, index, string(content))
	}
	require.Equal(t, []list{{"h_alone", false}, {"h_flat", false}, {"sub", false}, {"jammy-security", true}, {"jammy", false}}, found)
}
