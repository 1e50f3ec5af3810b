package updateinfo_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/rpm"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

// A built package is one that rpmbuild makes for the golden machine.
type built struct {
	name, evr, arch string
	module          string // as in its label: "nodejs:18:1:c0ffee"
	at              string // "device", or the repository that offers it
}

// goldenPackages is what the machine has, and what two repositories offer.
func goldenPackages() []built {
	return []built{
		{"hello", "1.0-1", "noarch", "", "device"}, {"hello", "1.1-1", "noarch", "", "base"}, {"hello", "2.0-1", "noarch", "", "base"},
		{"epoch", "1:1.0-1", "x86_64", "", "device"}, {"epoch", "2:0.9-1", "x86_64", "", "base"},
		{"newer", "3.0-1", "noarch", "", "device"}, {"newer", "2.0-1", "noarch", "", "base"}, {"newer", "3.1-1", "noarch", "", "base"},
		{"equal", "1.0-1", "noarch", "", "device"}, {"equal", "1.0-1", "noarch", "", "base"},
		{"native", "1.0-1.el9", "x86_64", "", "device"}, {"native", "1.0-1.el9_1", "x86_64", "", "base"},
		{"tilde", "1.0~rc1-1", "noarch", "", "device"}, {"tilde", "1.0-1", "noarch", "", "base"},
		{"caret", "1.0^git1-1", "noarch", "", "device"}, {"caret", "1.0^git2-1", "noarch", "", "base"},
		{"zeros", "1.9-9", "noarch", "", "device"}, {"zeros", "1.010-1", "noarch", "", "extra"},
		{"twice", "1-1", "noarch", "", "device"}, {"twice", "2-1", "noarch", "", "base"}, {"twice", "3-1", "noarch", "", "extra"},
		{"kernel-core", "5.0-1", "x86_64", "", "device"}, {"kernel-core", "5.1-1", "x86_64", "", "device"},
		{"kernel-core", "5.1-1", "x86_64", "", "base"}, {"kernel-core", "5.2-1", "x86_64", "", "base"},
		{"nodejs", "1:18.0-1.module+el9+1", "x86_64", "nodejs:18:1:c0ffee", "device"},
		{"nodejs", "1:18.2-1.module+el9+2", "x86_64", "nodejs:18:2:c0ffee", "base"},
		{"nodejs", "1:20.1-1.module+el9+3", "x86_64", "nodejs:20:3:c0ffee", "base"},
		{"absent", "1-1", "noarch", "", "base"},
		{"lonely", "1-1", "noarch", "", "device"},
	}
}

// A told advisory is one that a repository publishes: of each collection the module, if any, and the packages.
type told struct {
	at, id, kind, severity string
	collections            []collection
}

type collection struct {
	module   string // name:stream:version:context
	packages []string
}

func goldenAdvisories() []told {
	plain := func(packages ...string) []collection { return []collection{{"", packages}} }
	return []told{
		{"base", "TEST-SA-2026:0001", "security", "Critical", plain("hello 1.1-1 noarch")},
		{"base", "TEST-SA-2026:0002", "security", "Important", plain("hello 2.0-1 noarch", "native 1.0-1.el9_1 i686", "hello 2.0-1 src")},
		{"base", "TEST-BA-2026:0003", "bugfix", "None", plain("hello 1.0-2 noarch", "absent 1-1 noarch")},
		{"base", "TEST-SA-2026:0004", "security", "Moderate", plain("epoch 2:0.9-1 x86_64")},
		{"base", "TEST-SA-2026:0005", "security", "Low", plain("epoch 5.0-1 x86_64")},
		{"base", "TEST-SA-2026:0006", "security", "Moderate", plain("newer 2.0-1 noarch")},
		{"base", "TEST-BA-2026:0007", "bugfix", "", plain("newer 3.1-1 noarch", "equal 1.0-1 noarch")},
		{"base", "TEST-EA-2026:0008", "enhancement", "", plain("native 1.0-1.el9_1 x86_64", "tilde 1.0-1 noarch")},
		{"base", "TEST-SA-2026:0009", "security", "", plain("caret 1.0-1 noarch")},
		{"base", "TEST-SA-2026:0010", "security", "Low", plain("caret 1.0^git2-1 noarch")},
		{"base", "TEST-NA-2026:0011", "newpackage", "", plain("absent 1-1 noarch")},
		{"base", "TEST-SA-2026:0012", "security", "Critical", nil},
		{"base", "TEST-SA-2026:0013", "security", "Important", plain("twice 2-1 noarch")},
		{"extra", "TEST-SA-2026:0013", "security", "Important", plain("zeros 1.010-1 noarch", "absent 1-1 noarch")},
		{"extra", "TEST-BA-2026:0018", "bugfix", "", plain("twice 3-1 noarch")},
		{"base", "TEST-SA-2026:0014", "security", "Moderate", plain("kernel-core 5.1-1 x86_64")},
		{"base", "TEST-SA-2026:0015", "security", "Important", plain("kernel-core 5.2-1 x86_64")},
		{"base", "TEST-SA-2026:0016", "security", "Low", []collection{
			{"nodejs:18:2:c0ffee", []string{"nodejs 1:18.2-1.module+el9+2 x86_64"}}, {"nodejs:20:3:c0ffee", []string{"nodejs 1:20.1-1.module+el9+3 x86_64"}},
		}},
		{"base", "TEST-SA-2026:0017", "security", "Low", []collection{{"nodejs:20:3:c0ffee", []string{"nodejs 1:20.1-1.module+el9+3 x86_64"}}}},
	}
}

// A machine is a private root with two repositories beside it, all below one folder.
type machine struct {
	t        *testing.T
	dir      string
	packages map[built]string // files
}

func (m *machine) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

func (m *machine) write(content string, elem ...string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.path(elem...)), 0o755))
	require.NoError(m.t, os.WriteFile(m.path(elem...), []byte(content), 0o644))
}

// run runs a program with a home folder that tells rpm where the database of a root is, and returns what it prints.
func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+m.path("home"))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(m.t, err, "%s %v: %s%s", name, args, out, complaints.String())
	return string(out)
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	for _, tool := range []string{"rpm", "rpmbuild", "dnf", "createrepo_c", "modifyrepo_c"} {
		need.Tool(t, tool)
	}
	m := &machine{t: t, dir: t.TempDir(), packages: make(map[built]string)}
	m.write("%_dbpath /var/lib/rpm\n", "home", ".rpmmacros")
	m.write("ID=almalinux\nVERSION_ID=\"9.4\"\n", "root", "etc", "os-release")
	m.write("[nodejs]\nname=nodejs\nstream=18\nprofiles=\nstate=enabled\n", "root", "etc", "dnf", "modules.d", "nodejs.module")
	for _, dir := range []string{"root/var/lib/rpm", "root/var/log", "root/var/cache/dnf", "base", "extra"} {
		require.NoError(t, os.MkdirAll(m.path(filepath.FromSlash(dir)), 0o755))
	}
	m.build()
	for _, repository := range []string{"base", "extra"} {
		m.publish(repository)
	}
	var files []string
	for p, file := range m.packages {
		if p.at == "device" {
			files = append(files, file)
		}
	}
	m.install("-i", files)
	return m
}

// install puts packages into the machine's database, and nothing into its file system: so no rights are needed.
func (m *machine) install(how string, files []string) {
	m.t.Helper()
	slices.Sort(files)
	m.run("rpm", append([]string{"--dbpath", m.path("root", "var", "lib", "rpm"), "--justdb", "--nodeps", "--ignorearch", how}, files...)...)
}

// build makes the packages. Those of one place, round and module come out of one run of rpmbuild, as parts of one package.
func (m *machine) build() {
	m.t.Helper()
	type spec struct{ at, module, round string }
	specs := make(map[spec]string)
	rounds := make(map[[2]string]int)
	for _, p := range goldenPackages() {
		rounds[[2]string{p.at, p.name}]++
		s := spec{p.at, p.module, fmt.Sprint(rounds[[2]string{p.at, p.name}])}
		if specs[s] == "" {
			specs[s] = "Name: set\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\n"
			if p.module != "" {
				specs[s] += "ModularityLabel: " + p.module + "\n"
			}
			specs[s] += "%description\nx\n%prep\n%build\n%install\n"
		}
		epoch, rest, found := strings.Cut(p.evr, ":")
		if !found {
			epoch, rest = "0", p.evr
		}
		v, release, _ := strings.Cut(rest, "-")
		specs[s] += fmt.Sprintf("%%package -n %s\nSummary: x\nEpoch: %s\nVersion: %s\nRelease: %s\n", p.name, epoch, v, release)
		if p.arch == "noarch" {
			specs[s] += "BuildArch: noarch\n"
		}
		specs[s] += fmt.Sprintf("%%description -n %s\nx\n%%files -n %s\n", p.name, p.name)
		file := fmt.Sprintf("%s-%s-%s.%s.rpm", p.name, v, release, p.arch)
		m.packages[p] = m.path("built", s.at, s.round, s.module, p.arch, file)
	}
	for s, text := range specs {
		m.write(text, "set.spec")
		m.run("rpmbuild", "--quiet", "-bb", "--target", "x86_64-linux", "--define", "_topdir "+m.path("top"), "--define", "debug_package %{nil}",
			"--define", "_rpmdir "+m.path("built", s.at, s.round, s.module), m.path("set.spec"))
	}
}

// publish makes a repository of what it offers and of its advisories.
func (m *machine) publish(repository string) {
	m.t.Helper()
	var modules strings.Builder
	for p, file := range m.packages {
		if p.at != repository {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(m.t, err)
		m.write(string(content), repository, filepath.Base(file))
		if label := strings.Split(p.module, ":"); len(label) == 4 {
			fmt.Fprintf(&modules, "---\ndocument: modulemd\nversion: 2\ndata:\n  name: %s\n  stream: %q\n  version: %s\n  context: %s\n  arch: x86_64\n"+
				"  summary: x\n  description: x\n  license: {module: [MIT]}\n  artifacts:\n    rpms: [%q]\n...\n",
				label[0], label[1], label[2], label[3], fmt.Sprintf("%s-%s.%s", p.name, p.evr, p.arch))
		}
	}
	m.write(document(goldenAdvisories(), repository), "updateinfo.xml")
	m.run("createrepo_c", "-q", m.path(repository))
	compression := map[string]string{"base": "gz", "extra": "xz"}[repository]
	m.run("modifyrepo_c", "--compress-type="+compression, "--mdtype=updateinfo", m.path("updateinfo.xml"), m.path(repository, "repodata"))
	if modules.Len() > 0 {
		m.write(modules.String(), "modules.yaml")
		m.run("modifyrepo_c", "--mdtype=modules", m.path("modules.yaml"), m.path(repository, "repodata"))
	}
	m.write(fmt.Sprintf("[%s]\nname=%s\nbaseurl=file://%s\nenabled=1\ngpgcheck=0\n", repository, repository, m.path(repository)),
		"root", "etc", "yum.repos.d", repository+".repo")
}

// document writes the advisories of a repository as updateinfo.xml.
func document(advisories []told, repository string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n")
	for _, a := range advisories {
		if a.at != repository {
			continue
		}
		fmt.Fprintf(&b, "<update from=\"a@example.com\" status=\"final\" type=%q version=\"1\">\n<id>%s</id><title>%s</title><severity>%s</severity>\n"+
			"<issued date=\"2026-11-01 00:00:00\"/><updated date=\"2026-11-02 00:00:00\"/>\n<pkglist>\n", a.kind, a.id, a.id, a.severity)
		for _, c := range a.collections {
			b.WriteString("<collection short=\"T\"><name>T</name>\n")
			if label := strings.Split(c.module, ":"); len(label) == 4 {
				fmt.Fprintf(&b, "<module name=%q stream=%q version=%q context=%q arch=\"x86_64\"/>\n", label[0], label[1], label[2], label[3])
			}
			for _, p := range c.packages {
				words := strings.Fields(p)
				epoch, rest, found := strings.Cut(words[1], ":")
				if !found {
					epoch, rest = "0", words[1]
				}
				v, release, _ := strings.Cut(rest, "-")
				fmt.Fprintf(&b, "<package name=%q epoch=%q version=%q release=%q arch=%q><filename>%s-%s.%s.rpm</filename></package>\n",
					words[0], epoch, v, release, words[2], words[0], rest, words[2])
			}
			b.WriteString("</collection>\n")
		}
		b.WriteString("</pkglist>\n</update>\n")
	}
	b.WriteString("</updates>\n")
	return b.String()
}

// A line is one of "dnf updateinfo list".
type line struct{ Advisory, Kind, Package string }

// dnfs returns what dnf lists.
func (m *machine) dnfs(which string) []line {
	m.t.Helper()
	root := m.path("root")
	out := m.run("dnf", "-q", "-y", "--noplugins", "--forcearch=x86_64", "--installroot="+root, "--releasever=9", "--setopt=module_platform_id=platform:el9",
		"--setopt=reposdir="+root+"/etc/yum.repos.d", "--setopt=cachedir="+root+"/var/cache/dnf", "--setopt=logdir="+root+"/var/log",
		"updateinfo", "list", which)
	var lines []line
	for text := range strings.Lines(out) {
		words := strings.Fields(text)
		require.Len(m.t, words, 3, text)
		lines = append(lines, line{words[0], words[1], words[2]})
	}
	slices.SortFunc(lines, line.compare)
	return lines
}

func (l line) compare(o line) int {
	return cmp.Or(strings.Compare(l.Advisory, o.Advisory), strings.Compare(l.Package, o.Package))
}

// ours returns what patchflow finds, in dnf's words.
func (m *machine) ours() ([]line, *patch.Catalog, inventory.Assessment) {
	m.t.Helper()
	var repositories []updateinfo.Repository
	for _, name := range []string{"base", "extra"} {
		repositories = append(repositories, updateinfo.Repository{Name: name, Packages: true, Open: updateinfo.Folder(os.DirFS(m.path(name)))})
	}
	root := rpm.Root{Dir: m.path("root")}
	release, err := root.Release()
	require.NoError(m.t, err)
	source, err := updateinfo.New(updateinfo.Config{
		Ecosystem: release.Ecosystem(), Platform: patch.Platform{OS: release.ID, Version: release.Major()}, Repositories: repositories,
	})
	require.NoError(m.t, err)
	var patches []patch.Patch
	for p, err := range source.Patches(m.t.Context(), patch.Query{}) {
		require.NoError(m.t, err)
		patches = append(patches, p)
	}
	catalog, err := patch.NewCatalog(patches)
	require.NoError(m.t, err)

	device := inventory.Device{ID: "golden", Platform: patch.Platform{OS: release.ID, Version: release.Version, Arch: "x86_64"}}
	scan, err := root.Scan(m.t.Context(), device)
	require.NoError(m.t, err)
	require.Equal(m.t, inventory.Complete, scan.Coverage[0].Status, scan.Coverage[0].Detail)
	device, err = device.Merge(scan)
	require.NoError(m.t, err)
	assessment := inventory.Assess(catalog, &device)
	var lines []line
	for i := range assessment.Findings {
		f := &assessment.Findings[i]
		p, found := catalog.Get(f.Patch)
		require.True(m.t, found)
		kind := p.ClassificationRaw[0]
		if p.Classification == patch.ClassSecurity {
			kind = cmp.Or(p.SeverityRaw, "Unknown") + "/Sec."
		}
		for _, missing := range f.Packages {
			lines = append(lines, line{p.Advisories[0].ID, kind, fmt.Sprintf("%s-%s.%s", missing.Name, missing.Fixed, missing.Arch)})
		}
	}
	slices.SortFunc(lines, line.compare)
	return lines, catalog, assessment
}

// What "dnf updateinfo list" says of a machine is what patchflow finds: the same advisories, kinds and packages. Both are real:
// packages made by rpmbuild, a database of rpm, repositories made by createrepo_c.
func TestGoldenMachineMissesWhatDnfSays(t *testing.T) {
	m := newMachine(t)
	dnf := m.dnfs("--updates")
	require.Equal(t, dnf, m.dnfs("--available"))
	require.Len(t, dnf, 13, "%v", dnf)
	ours, catalog, assessment := m.ours()
	require.Empty(t, gocmp.Diff(dnf, ours))
	require.Empty(t, assessment.Unknown)
	require.Equal(t, inventory.StateMissing, assessment.State())
	t.Logf("%d advisories, %d packages missing", len(assessment.Findings), len(ours))

	// What the repositories offer is pinned by the hashes of the real files.
	pinned := 0
	for p, file := range m.packages {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		for e := range maps.Values(entriesOf(catalog, p)) {
			require.Len(t, e.Artefacts, 1)
			require.Equal(t, patch.Artefact{Name: filepath.Base(file), Size: int64(len(content)), Digest: patch.Digest("sha256:" + hex.EncodeToString(sum[:]))}, e.Artefacts[0])
			pinned++
		}
	}
	require.Equal(t, 19, pinned)

	// When all that dnf would install is installed neither finds anything.
	newest := []built{
		{"hello", "2.0-1", "noarch", "", "base"}, {"epoch", "2:0.9-1", "x86_64", "", "base"}, {"newer", "3.1-1", "noarch", "", "base"},
		{"native", "1.0-1.el9_1", "x86_64", "", "base"}, {"tilde", "1.0-1", "noarch", "", "base"}, {"caret", "1.0^git2-1", "noarch", "", "base"},
		{"zeros", "1.010-1", "noarch", "", "extra"}, {"twice", "3-1", "noarch", "", "extra"},
		{"nodejs", "1:18.2-1.module+el9+2", "x86_64", "nodejs:18:2:c0ffee", "base"},
	}
	var upgrades []string
	for _, p := range newest {
		require.Contains(t, m.packages, p)
		upgrades = append(upgrades, m.packages[p])
	}
	m.install("-U", upgrades)
	m.install("-i", []string{m.packages[built{"kernel-core", "5.2-1", "x86_64", "", "base"}]})
	require.Empty(t, m.dnfs("--available"))
	ours, _, assessment = m.ours()
	require.Empty(t, ours)
	require.Equal(t, inventory.StateClean, assessment.State(), "%v", assessment.Unknown)
}

// entriesOf returns the packages of patches that are p, where a repository offers it.
func entriesOf(c *patch.Catalog, p built) map[patch.ID]patch.Package {
	found := make(map[patch.ID]patch.Package)
	if p.at == "device" {
		return found
	}
	for _, e := range c.ByPackage("AlmaLinux:9", p.name) {
		if e.Package.Fixed.Text == p.evr && e.Package.Arch == p.arch && slices.Contains(e.Package.Origins, p.at) {
			found[e.Patch.ID] = *e.Package
		}
	}
	return found
}
