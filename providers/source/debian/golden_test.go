package debian_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
)

// bookwormConfig reads the three indices of the golden machine.
func bookwormConfig(fsys fs.FS, file func(origin string) string) debian.Config {
	config := debian.Config{Codename: "bookworm", Version: "12"}
	for _, origin := range bookworm.Origins() {
		config.Indices = append(config.Indices, debian.Index{
			Origin: origin, Security: strings.HasSuffix(origin, "-security"), Open: source.File(fsys, file(origin)),
		})
	}
	return config
}

func listPatches(t testing.TB, config debian.Config, q patch.Query) []patch.Patch {
	t.Helper()
	source, err := debian.New(config)
	require.NoError(t, err)
	var patches []patch.Patch
	for p, err := range source.Patches(t.Context(), q) {
		require.NoError(t, err)
		patches = append(patches, p)
	}
	return patches
}

// upgrades compares versions package by package: the highest that is offered above the installed one.
func upgrades(t testing.TB, installed []inventory.Software, patches []patch.Patch) []bookworm.Upgrade {
	t.Helper()
	type name struct{ name, arch string }
	best := make(map[name]*patch.Package)
	for i := range patches {
		for j := range patches[i].Packages {
			p := &patches[i].Packages[j]
			for _, arch := range []string{p.Arch, "amd64", "all"} { // a package may change from one architecture to all
				if p.Arch != "all" && arch != p.Arch {
					continue
				}
				old := best[name{p.Name, arch}]
				if old == nil || newer(t, p.Fixed, old.Fixed) {
					best[name{p.Name, arch}] = p
				}
			}
		}
	}
	var found []bookworm.Upgrade
	for _, s := range installed {
		if p := best[name{s.Name, s.Arch}]; p != nil && newer(t, p.Fixed, s.Version) {
			require.Equal(t, s.Ecosystem, p.Ecosystem)
			found = append(found, bookworm.Upgrade{Name: s.Name, Arch: p.Arch, From: s.Version.Text, To: p.Fixed.Text, Origins: p.Origins})
		}
	}
	return found
}

func newer(t testing.TB, a, b version.Version) bool {
	t.Helper()
	c, err := version.Compare(a, b)
	require.NoError(t, err)
	return c > 0
}

func sortUpgrades(u []bookworm.Upgrade) []bookworm.Upgrade {
	u = slices.Clone(u)
	slices.SortFunc(u, func(a, b bookworm.Upgrade) int { return strings.Compare(a.Name+" "+a.Arch, b.Name+" "+b.Arch) })
	for i := range u {
		u[i].Origins = slices.Sorted(slices.Values(u[i].Origins))
	}
	return u
}

func security(u []bookworm.Upgrade) int {
	n := 0
	for i := range u {
		if u[i].Security() {
			n++
		}
	}
	return n
}

// What apt lists as upgradable on the captured machine is what patchflow finds: the same packages, versions and origins.
func TestGoldenMachineMissesWhatAptSays(t *testing.T) {
	want, err := bookworm.Upgradable()
	require.NoError(t, err)
	status, err := bookworm.FS().Open(bookworm.StatusFile)
	require.NoError(t, err)
	defer status.Close()
	installed, err := apt.ReadStatus(status, "Debian:12")
	require.NoError(t, err)
	require.Len(t, installed, 703)

	got := upgrades(t, installed, listPatches(t, bookwormConfig(bookworm.FS(), bookworm.IndexFile), patch.Query{}))
	require.Empty(t, cmp.Diff(sortUpgrades(want), sortUpgrades(got)))
	require.Len(t, got, 136)
	require.Equal(t, 81, security(got))
}

// The same on the whole captures, against the text that apt printed.
func TestGoldenMachineOnTheFullCaptures(t *testing.T) {
	shared := need.Shared(t)
	feeds := os.DirFS(filepath.Join(shared, "feeds"))
	status, err := feeds.Open("debian-inventory/dpkg-status.xz")
	require.NoError(t, err)
	defer status.Close()
	installed, err := apt.ReadStatus(status, "Debian:12")
	require.NoError(t, err)
	require.Len(t, installed, 703)

	list, err := feeds.Open("debian-inventory/apt-list-upgradable.txt")
	require.NoError(t, err)
	defer list.Close()
	line := regexp.MustCompile(`^([^/]+)/(\S+) (\S+) (\S+) \[upgradable from: (\S+)\]$`)
	var want []bookworm.Upgrade
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if m := line.FindStringSubmatch(lines.Text()); m != nil {
			origins := strings.Split(strings.ReplaceAll(m[2], "oldstable", "bookworm"), ",")
			want = append(want, bookworm.Upgrade{Name: m[1], Arch: m[4], From: m[5], To: m[3], Origins: origins})
		}
	}
	config := bookwormConfig(feeds, func(origin string) string { return "debian-apt-indices/" + origin + "_main_binary-amd64_Packages.xz" })
	patches := listPatches(t, config, patch.Query{})
	got := upgrades(t, installed, patches)
	require.Empty(t, cmp.Diff(sortUpgrades(want), sortUpgrades(got)))
	require.Len(t, got, 136)
	require.Equal(t, 81, security(got))

	packages, digests := 0, 0
	for i := range patches {
		packages += len(patches[i].Packages)
		for j := range patches[i].Packages {
			if len(patches[i].Packages[j].Artefacts) == 1 && patches[i].Packages[j].Artefacts[0].Digest != "" {
				digests++
			}
		}
	}
	require.Equal(t, packages, digests, "every package is pinned by the hash of one file")
	t.Logf("%d patches of %d packages", len(patches), packages)
}

// The whole list of advisories of 20 years is read, but for the one line in it that is wrong.
func TestAdvisoriesOfTheFullCapture(t *testing.T) {
	shared := need.Shared(t)
	for name, want := range map[string]struct{ advisories, wrong int }{"DSA_list": {5406, 1}, "DLA_list": {3534, 0}} {
		f, err := os.Open(filepath.Join(shared, "feeds", "debian-security-tracker", name))
		require.NoError(t, err)
		defer f.Close()
		var wrong []error
		read := 0
		for a, err := range debian.ReadAdvisories(f, source.Limits{}) {
			if err != nil {
				require.ErrorIs(t, err, patch.ErrRecord)
				wrong = append(wrong, err)
				continue
			}
			read++
			require.NotEmpty(t, a.ID)
		}
		require.Equal(t, want.advisories, read, name)
		require.Len(t, wrong, want.wrong, "%s: %v", name, wrong)
		if len(wrong) > 0 {
			require.ErrorContains(t, wrong[0], "line 17244: DSA-423: ")
		}
	}
}

// The advisories on the golden machine explain patches, each of them one, the lowest that closes its hole.
func TestGoldenAdvisoriesExplainPatches(t *testing.T) {
	config := bookwormConfig(bookworm.FS(), bookworm.IndexFile)
	config.Advisories = source.File(bookworm.FS(), bookworm.AdvisoryFile)
	told := make(map[string]patch.ID)
	for _, p := range listPatches(t, config, patch.Query{}) {
		for _, a := range p.Advisories {
			require.Empty(t, told[a.ID], "%s explains two patches", a.ID)
			told[a.ID] = p.ID
			require.False(t, a.Published.IsZero())
		}
	}
	require.Contains(t, string(told["DSA-5863-1"]), "debian:bookworm/libtasn1-6=")
	require.Len(t, told, 60)
}

func BenchmarkPatchesOfTheFullCaptures(b *testing.B) {
	shared := need.Shared(b)
	file := func(origin string) string { return "debian-apt-indices/" + origin + "_main_binary-amd64_Packages.xz" }
	source, err := debian.New(bookwormConfig(os.DirFS(filepath.Join(shared, "feeds")), file))
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetBytes(50060313 + 2523192 + 32757) // decompressed
	for b.Loop() {
		for _, err := range source.Patches(b.Context(), patch.Query{}) {
			require.NoError(b, err)
		}
	}
}

// The same by the library's own way: catalog, device, assessment. What the standing findings name is what apt lists.
func TestGoldenMachineAssessed(t *testing.T) {
	fsys := bookworm.FS()
	f, err := fsys.Open(bookworm.StatusFile)
	require.NoError(t, err)
	defer f.Close()
	patches := listPatches(t, bookwormConfig(fsys, bookworm.IndexFile), patch.Query{})
	installed, err := apt.ReadStatus(f, "Debian:12")
	require.NoError(t, err)
	catalog, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	device := inventory.Device{ID: "golden", Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"}, Software: installed,
		Coverage: []inventory.Coverage{{Manager: apt.Manager, Status: inventory.Complete}}}
	assessment := inventory.Assess(catalog, &device)
	require.Empty(t, assessment.Unknown)
	want, err := bookworm.Upgradable()
	require.NoError(t, err)
	require.Len(t, want, 136)
	type change struct{ from, to string }
	apts := make(map[string]change)
	fromSecurity := 0
	for _, u := range want {
		apts[u.Name] = change{u.From, u.To}
		if u.Security() {
			fromSecurity++
		}
	}
	require.Equal(t, 81, fromSecurity)
	ours := make(map[string]change)
	security := 0
	for finding := range assessment.Standing() {
		x, ok := catalog.Get(finding.Patch)
		require.True(t, ok)
		for _, m := range finding.Packages {
			require.NotContains(t, ours, m.Name, "one package in two standing findings")
			ours[m.Name] = change{m.Installed.Text, m.Fixed.Text}
			if x.Classification == patch.ClassSecurity {
				security++
			}
		}
	}
	require.Empty(t, cmp.Diff(apts, ours, cmp.AllowUnexported(change{})))
	require.Equal(t, 81, security)
}
