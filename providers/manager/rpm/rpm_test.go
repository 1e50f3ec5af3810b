package rpm_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/rpm"
)

func line(fields ...string) string { return strings.Join(fields, "\t") + "\n" }

func ver(text string) version.Version { return version.Version{Scheme: version.RPM, Text: text} }

// query is what rpm 4.18 prints of a handful of packages.
func query() string {
	return line("bash", "(none)", "5.1.8", "6.el9", "x86_64", "bash-5.1.8-6.el9.src.rpm", "1700000000", "(none)") +
		line("openssl-libs", "1", "3.0.7", "16.el9", "x86_64", "openssl-3.0.7-16.el9.src.rpm", "1700000000", "(none)") +
		line("perl-IO", "0", "1.43", "479.el9", "x86_64", "perl-5.32.1-479.el9.src.rpm", "1700000000", "(none)") +
		line("gpg-pubkey", "(none)", "8483c65d", "5ccc5b19", "(none)", "(none)", "1700000000", "(none)") +
		line("nodejs", "1", "18.2", "1.module+el9+2", "x86_64", "nodejs-18.2-1.module+el9+2.src.rpm", "1700000000", "nodejs:18:9040020240510175312:8cf767d6") +
		line("tzdata", "(none)", "2024a", "1.el9", "noarch", "tzdata-2024a-1.el9.src.rpm", "1700000000")
}

func TestReadQueryListsWhatIsInstalled(t *testing.T) {
	got, err := rpm.ReadQuery(strings.NewReader(query()), "AlmaLinux:9")
	require.NoError(t, err)
	software := func(name, arch, v string) inventory.Software {
		return inventory.Software{Manager: "rpm", Ecosystem: "AlmaLinux:9", Name: name, Arch: arch, Version: ver(v)}
	}
	want := []inventory.Software{
		software("bash", "x86_64", "5.1.8-6.el9"), software("openssl-libs", "x86_64", "1:3.0.7-16.el9"), software("perl-IO", "x86_64", "1.43-479.el9"),
		software("nodejs", "x86_64", "1:18.2-1.module+el9+2"), software("tzdata", "noarch", "2024a-1.el9"),
	}
	want[1].Source = "openssl"
	want[2].Source, want[2].SourceVersion = "perl", ver("5.32.1-479.el9")
	want[3].Module = "nodejs:18"
	require.Empty(t, cmp.Diff(want, got))

	none, err := rpm.ReadQuery(strings.NewReader(""), "AlmaLinux:9")
	require.NoError(t, err)
	require.NotNil(t, none, "an empty file was read whole")
	require.Empty(t, none)
}

func TestReadQueryTellsUnreadableLines(t *testing.T) {
	good := func(name string) string { return line(name, "0", "1", "1", "noarch", "x-1-1.src.rpm", "1") }
	for _, row := range []struct{ bad, want string }{
		{"x\n", "1 fields"},
		{line("x", "0", "1", "1", "noarch", "(none)", "1", "(none)", "more"), "9 fields"},
		{line("-x", "0", "1", "1", "noarch", "(none)", "1"), `name is "-x"`},
		{line("(none)", "0", "1", "1", "noarch", "(none)", "1"), `name is ""`},
		{line("x", "0", "1", "1", "(none)", "(none)", "1"), `package x: architecture is ""`},
		{line("x", "one", "1", "1", "noarch", "(none)", "1"), `package x: epoch is "one"`},
		{line("x", "0", "", "1", "noarch", "(none)", "1"), `package x: version is "-1"`},
		{line("x", "0", "1-1", "1", "noarch", "(none)", "1"), `package x: version is "1-1-1"`},
		{line("x", "0", "1", "1", "noarch", "(none)", "today"), `package x: time of installation is "today"`},
		{line("x", "0", "1", "1", "noarch", "(none)", "1", "nodejs"), `package x: module is "nodejs"`},
		{"\n", "1 fields"},
	} {
		got, err := rpm.ReadQuery(strings.NewReader(good("a")+row.bad+good("z")), "AlmaLinux:9")
		require.Len(t, got, 2, row.bad)
		require.ErrorIs(t, err, patch.ErrRecord)
		require.ErrorContains(t, err, "rpm: query: line 2: ")
		require.ErrorContains(t, err, row.want)
	}
}

func TestReadQueryTellsWhatStandsTwice(t *testing.T) {
	at := func(name, v, arch string) string { return line(name, "0", v, "1", arch, "(none)", "1") }
	got, err := rpm.ReadQuery(strings.NewReader(at("slow", "1.0", "x86_64")+at("slow", "1.0", "i686")+at("kernel-core", "5.0", "x86_64")+
		at("slow", "2.0", "x86_64")+at("kernel-core", "5.1", "x86_64")+at("kmod-x", "1", "x86_64")+at("kmod-x", "2", "x86_64")), "AlmaLinux:9")
	require.Len(t, got, 7)
	require.ErrorIs(t, err, patch.ErrCorrupt)
	require.Equal(t, patch.Corrupt, patch.FaultOf(err))
	var twice *rpm.DuplicateError
	require.ErrorAs(t, err, &twice)
	require.Equal(t, rpm.DuplicateError{Name: "slow", Arch: "x86_64", Versions: []string{"1.0-1", "2.0-1"}}, *twice)
	require.ErrorContains(t, err, "rpm: package slow.x86_64 is installed as 1.0-1 and as 2.0-1: ")
	require.NotContains(t, err.Error(), "package k", "kernels and modules are installed side by side")
}

func TestReadQueryCutShortIsNoList(t *testing.T) {
	for _, document := range []string{query()[:len(query())-1], query()[:30]} {
		got, err := rpm.ReadQuery(strings.NewReader(document), "AlmaLinux:9")
		require.Nil(t, got)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	broken := errors.New("disk on fire")
	got, err := rpm.ReadQuery(io.MultiReader(strings.NewReader(query()), iotest.ErrReader(broken)), "AlmaLinux:9")
	require.Nil(t, got)
	require.ErrorIs(t, err, broken)
	got, err = rpm.ReadQuery(strings.NewReader(query()+strings.Repeat("x", 20000)+"\n"), "AlmaLinux:9")
	require.Nil(t, got)
	require.ErrorContains(t, err, "line 7: a line of more than 16384 bytes")
}

func TestReadManifestTakesEpochsFromSources(t *testing.T) {
	entry := func(name, v, source string) string {
		return fmt.Sprintf(`{"name": %q, "version": %q, "release": "1.el9", "architecture": "x86_64", "srpm_nevra": %q}`, name, v, source)
	}
	got, err := rpm.ReadManifest(strings.NewReader(`{"_id": "x", "rpms": [`+strings.Join([]string{
		entry("openssl-libs", "3.0", "openssl-1:3.0-1.el9.src"),
		entry("bash", "5.1", "bash-0:5.1-1.el9.src"),
		entry("libmodulemd1", "1.8", "libmodulemd-0:2.0-1.el9.src"),
		entry("perl-B", "1.80", "perl-4:5.32-1.el9.src"),
		entry("gpg-pubkey", "1", ""), entry("odd", "1", "odd"), entry("-odd", "1", "odd-0:1-1.el9.src"), `7`,
	}, ",")+`]}`), "Red Hat:enterprise_linux:9")
	require.Equal(t, []string{"openssl-libs 1:3.0-1.el9 of openssl ", "bash 5.1-1.el9 of  ", "libmodulemd1 1.8-1.el9 of libmodulemd 2.0-1.el9"}, told(got))
	require.ErrorIs(t, err, patch.ErrRecord)
	for _, want := range []string{
		"rpm: manifest: record 4: package perl-B 1.80-1.el9 of perl-4:5.32-1.el9.src: epoch is not known", `record 6: package odd: source package is "odd"`,
		`record 7: name is "-odd"`, "record 8: json",
	} {
		require.ErrorContains(t, err, want)
	}
	for _, document := range []string{"", `{"rpms": [`, `[]`, `{"packages": []}`} {
		got, err = rpm.ReadManifest(strings.NewReader(document), "x")
		require.Nil(t, got)
		require.Error(t, err)
		require.NotErrorIs(t, err, patch.ErrRecord)
	}
}

func told(software []inventory.Software) (lines []string) {
	for _, s := range software {
		lines = append(lines, fmt.Sprintf("%s %s of %s %s", s.Name, s.Version, s.Source, s.SourceVersion))
	}
	return lines
}

func TestReadReleaseNamesEcosystemsAsOSVDoes(t *testing.T) {
	for release, want := range map[string]string{
		"ID=\"almalinux\"\nVERSION_ID=\"9.4\"\n":                                              "AlmaLinux:9",
		"ID=\"rocky\"\nVERSION_ID=\"8.10\"\n":                                                 "Rocky Linux:8",
		"ID=\"rhel\"\nVERSION_ID=\"9.2\"\n":                                                   "Red Hat:enterprise_linux:9",
		"ID=azurelinux\nVERSION_ID=\"3.0\"\n":                                                 "Azure Linux:3",
		"ID=\"ol\"\nVERSION_ID=\"9.4\"\n":                                                     "Oracle Linux:9",
		"ID=\"centos\"\nVERSION_ID=\"7\"\n":                                                   "CentOS:7",
		"ID=other\nVERSION_ID=1.2\n":                                                          "other:1.2",
		"ID=photon\nVERSION_ID=5.0\n":                                                         "Photon OS:5.0",
		"ID=mageia\nVERSION_ID=9\n":                                                           "Mageia:9",
		"ID=fedora\nVERSION_ID=43\n":                                                          "Fedora:43",
		"ID=\"amzn\"\nVERSION_ID=\"2023\"\n":                                                  "Amazon Linux:2023",
		"ID=\"opensuse-leap\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"openSUSE Leap 15.5\"\n":     "openSUSE:Leap 15.5",
		"ID=opensuse-tumbleweed\nPRETTY_NAME='openSUSE Tumbleweed'\n":                         "openSUSE:Tumbleweed",
		"ID=sles\nVERSION_ID=15.5\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP5\"\n":     "SUSE:Linux Enterprise Server 15 SP5",
		"ID=openEuler\nVERSION_ID=24.03\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"\nNAME=x\n": "openEuler:24.03-LTS-SP1",
	} {
		got, err := rpm.ReadRelease(strings.NewReader(release))
		require.NoError(t, err, release)
		require.Equal(t, want, got.Ecosystem())
	}
	for release, want := range map[string]string{
		"":                       "no ID",
		"ID=fedora\n":            "fedora has no VERSION_ID",
		"ID=sles\n":              "sles has no VERSION_ID",
		"ID=a/b\nVERSION_ID=1\n": `"a/b:1" is neither`,
	} {
		_, err := rpm.ReadRelease(strings.NewReader(release))
		require.ErrorContains(t, err, want)
	}
	_, err := rpm.ReadRelease(iotest.ErrReader(io.ErrClosedPipe))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// Every package of the images that Red Hat lists is read, but for those of which the epoch is not known.
func TestManifestsOfRedHatsImages(t *testing.T) {
	folder := need.Shared(t, "feeds", "rpm-inventory")
	for name, want := range map[string]struct{ images, read, unknown int }{
		"claircore_ubi8_ubi.txtar": {4, 696, 8}, "claircore_ubi9_ubi.txtar": {4, 709, 8}, "claircore_ubi9_httpd-24.txtar": {4, 1089, 96},
	} {
		images, read, unknown := 0, 0, 0
		for section := range strings.SplitSeq(content(t, folder, name), "\n-- ") {
			head, document, _ := strings.Cut(section, " --\n")
			if !strings.HasSuffix(head, "/rpm-manifest") {
				continue
			}
			images++
			got, err := rpm.ReadManifest(strings.NewReader(document), "Red Hat:enterprise_linux:9")
			require.NotNil(t, got, "%v", err)
			read += len(got)
			if err != nil {
				unknown += strings.Count(err.Error(), "epoch is not known")
				require.Equal(t, strings.Count(err.Error(), "rpm: manifest: record"), strings.Count(err.Error(), "epoch is not known"), "%v", err)
			}
		}
		require.Equal(t, want.images, images, name)
		require.Equal(t, want.read, read, name)
		require.Equal(t, want.unknown, unknown, name)
	}
}

// What rpm says on five captured machines, written back into our format.
func TestMachinesOfOthers(t *testing.T) {
	folder := need.Shared(t, "feeds", "pkgmgr-outputs", "osconfig")
	total := 0
	for _, name := range []string{"rocky-8-1", "rhel-9-1", "centos-7-1", "sles-12-1", "oracle-linux-8"} {
		var document strings.Builder
		want := 0
		for lines := bufio.NewScanner(strings.NewReader(content(t, folder, name+".rpm-query-all.stdout"))); lines.Scan(); {
			var row struct {
				Architecture, Package, Version string
				Source                         string `json:"source_name"`
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
			epoch, rest, found := strings.Cut(row.Version, ":")
			if !found {
				epoch, rest = "(none)", row.Version
			}
			v, release, _ := strings.Cut(rest, "-")
			document.WriteString(line(row.Package, epoch, v, release, row.Architecture, row.Source, "1"))
			if row.Package != "gpg-pubkey" {
				want++
			}
		}
		got, err := rpm.ReadQuery(strings.NewReader(document.String()), "x")
		require.NoError(t, err, name)
		require.Len(t, got, want, name)
		total += want
	}
	require.Equal(t, 216, total)
}

func content(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	require.NoError(t, err)
	return string(bytes.TrimPrefix(b, []byte("\ufeff")))
}

func FuzzReadQuery(f *testing.F) {
	f.Add(query())
	f.Add(line("a", "0", "1", "1", "noarch", "(none)", "1") + line("a", "0", "2", "1", "noarch", "(none)", "1"))
	f.Fuzz(func(t *testing.T, document string) {
		if len(document) > 4096 {
			t.Skip("longer than need be")
		}
		got, err := rpm.ReadQuery(strings.NewReader(document), "AlmaLinux:9")
		require.False(t, got == nil && err == nil)
		check(t, got)
	})
}

func FuzzReadManifest(f *testing.F) {
	f.Add(`{"rpms": [{"name": "a", "version": "1", "release": "1", "architecture": "x86_64", "srpm_nevra": "a-1:1-1.src"}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		if len(document) > 4096 {
			t.Skip("longer than need be")
		}
		got, err := rpm.ReadManifest(strings.NewReader(document), "AlmaLinux:9")
		require.False(t, got == nil && err == nil)
		check(t, got)
	})
}

func check(t *testing.T, software []inventory.Software) {
	t.Helper()
	for _, s := range software {
		require.NotEmpty(t, s.Name)
		require.NotEmpty(t, s.Arch)
		_, err := s.Version.Key()
		require.NoError(t, err)
	}
}
