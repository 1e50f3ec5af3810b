//go:build hostile

package source_test

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/lifecycle"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/alpine"
	"github.com/patchflow/patchflow/providers/source/arch"
	"github.com/patchflow/patchflow/providers/source/chocolatey"
	"github.com/patchflow/patchflow/providers/source/csaf"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/source/epss"
	"github.com/patchflow/patchflow/providers/source/homebrew"
	"github.com/patchflow/patchflow/providers/source/kev"
	"github.com/patchflow/patchflow/providers/source/msrc"
	"github.com/patchflow/patchflow/providers/source/nvd"
	"github.com/patchflow/patchflow/providers/source/osv"
	"github.com/patchflow/patchflow/providers/source/signed"
	"github.com/patchflow/patchflow/providers/source/sofa"
	"github.com/patchflow/patchflow/providers/source/tracker"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
	"github.com/patchflow/patchflow/providers/source/winget"
	"github.com/patchflow/patchflow/providers/source/wua"
)

// A parser is one way to read one kind of file.
type parser struct {
	name  string
	names string // what its errors say of the file
	read  func(t *tally, open source.Opener)
	bombs func() []bomb
}

// parsers returns all.
func parsers() []parser {
	ctx := context.Background()
	list := func(bombs ...bomb) func() []bomb { return func() []bomb { return bombs } }
	more := func(some []bomb, bombs ...bomb) func() []bomb { return list(append(some, bombs...)...) }
	return []parser{
		{"osv", "osv: " + fileName, func(t *tally, open source.Opener) {
			s, err := osv.New(osv.Config{Inputs: []osv.Input{{Name: fileName, Open: open}}})
			t.all(s, err)
		}, more(inJSON("", `{"id":"`, `{"id":"A","affected":[`, `{"id":"A","references":[`, `{"id":"A","affected":[{"ranges":[{"events":[`),
			bomb{name: "zeros.zip", packed: "zeros.zip"},
			bomb{name: "texts without end", begin: `{"id":"A","aliases":[`, again: `"",`},
			bomb{name: "versions without end", begin: `{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":[`, again: `"1",`},
			bomb{name: "one record again and again", again: `{"id":"A"}` + "\n"},
		)},
		{"osv folder", "osv: " + fileName + `: "a/b.json"`, func(t *tally, open source.Opener) {
			s, err := osv.New(osv.Config{Inputs: []osv.Input{{Name: fileName, Folder: folder{name: "a/b.json", open: open}}}})
			t.all(s, err)
		}, more(packed(false),
			bomb{name: "a text without end", begin: `{"id":"`, again: "a"},
			bomb{name: "arrays in a record", begin: `{"x":`, again: "["},
		)},
		{"debian", "debian: " + fileName, func(t *tally, open source.Opener) {
			s, err := debian.New(debian.Config{Codename: "bookworm", Version: "12", Indices: []debian.Index{{Origin: "bookworm", Name: fileName, Open: open}}, Limits: t.limits})
			t.all(s, err)
		}, more(slow(inLines("Package: a\n\n", "Package: "), "empty lines"),
			bomb{name: "a stanza without end", begin: "Package: a\n", again: "X: y\n"},
			bomb{name: "a field without end", begin: "Package: a\n", again: " y\n"},
			bomb{name: "empty stanzas", again: "A:\n\n"},
		)},
		{"debian advisories", "debian: advisories", func(t *tally, open source.Opener) {
			f, err := open()
			if err != nil {
				t.tell(err)
				return
			}
			defer f.Close()
			for _, err := range debian.ReadAdvisories(f, t.limits) {
				t.tell(err)
			}
		}, more(slow(inLines("[29 Mar 2023] DSA-5380-1 a - security update\n", "\t"), "empty lines"),
			bomb{name: "an advisory without end", begin: "[29 Mar 2023] DSA-5380-1 a - security update\n", again: "\tNOTE: \n"},
			bomb{name: "fixes without end", begin: "[29 Mar 2023] DSA-5380-1 a - security update\n", again: "\t[sid] - a 1\n"},
			bomb{name: "CVEs without end", begin: "[29 Mar 2023] DSA-5380-1 a - security update\n\t{", again: "CVE-2023-0001 "},
			bomb{name: "empty advisories", again: "[29 Mar 2023] DSA-1-1 a\n"},
		)},
		{"tracker", "tracker: " + fileName, func(t *tally, open source.Opener) {
			s, err := tracker.New(tracker.Config{Open: open, Name: fileName, Releases: []tracker.Release{{Codename: "bookworm", Version: "12"}}})
			t.all(s, err)
		}, more(lame(inJSON(`{"a":{"CVE-2024-0001":`, `{"description":"`, `{"releases":[`)),
			bomb{name: "empty records", begin: `{"a":{`, again: `"CVE-2024-0001":{},`},
			bomb{name: "empty sources", begin: `{`, again: `"a":{},`},
			bomb{name: "an array of records", begin: `{"a":[`, again: `{},`},
			bomb{name: "releases without end", begin: `{"a":{"CVE-2024-0001":{"releases":{`, again: `"bookworm":{},`},
		)},
		{"alpine", "alpine: " + fileName, func(t *tally, open source.Opener) {
			s, err := alpine.New(alpine.Config{Files: []alpine.File{{Name: fileName, Open: open}}})
			t.all(s, err)
		}, more(inJSON(`{"distroversion":"v3.18","reponame":"main","packages":[`, `{"pkg":{"name":"`, `{"pkg":{"name":"a","secfixes":[`),
			bomb{name: "fixes without end", begin: `{"distroversion":"v3.18","reponame":"main","packages":[{"pkg":{"name":"a","secfixes":{`, again: `"":[],`},
			bomb{name: "names without end", begin: `{"distroversion":"v3.18","reponame":"main","packages":[{"pkg":{"name":"a","secfixes":{"1":[`, again: `"",`},
		)},
		{"arch", "arch: " + fileName, func(t *tally, open source.Opener) {
			s, err := arch.New(arch.Config{Name: fileName, Open: open})
			t.all(s, err)
		}, more(inJSON("[", `{"name":"`),
			bomb{name: "packages without end", begin: `[{"name":"AVG-1","packages":[`, again: `"a",`},
			bomb{name: "lines without end", again: "{}\n"},
			bomb{name: "one line without end", begin: `{"name":"`, again: "a"},
		)},
		{"updateinfo", "updateinfo: " + fileName, func(t *tally, open source.Opener) {
			s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{{Name: fileName, Updateinfo: open}}, Limits: t.limits})
			t.all(s, err)
		}, more(slow(inXML("<updates>", "<update>"), "empty elements in a record"),
			bomb{name: "references without end", begin: "<updates><update><id>A</id><references>", again: "<reference/>"},
			bomb{name: "packages without end", begin: "<updates><update><id>A</id><pkglist><collection>", again: "<package/>"},
		)},
		{"updateinfo index", "updateinfo: " + fileName, func(t *tally, open source.Opener) {
			s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{
				{Name: fileName, Open: func(string) (io.ReadCloser, error) { return open() }},
			}, Limits: t.limits})
			t.all(s, err)
		}, list(slow(inXML("<repomd>", "<data>"), "empty elements in a record")...)},
		{"updateinfo errata", "updateinfo: " + fileName, func(t *tally, open source.Opener) {
			s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{{Name: fileName, Errata: open}}})
			t.all(s, err)
		}, list(inJSON(`{"data":[`, `{"id":"`, `{"id":"A","packages":[`, `{"id":"A","references":[`)...)},
		{"csaf", "csaf: " + fileName, func(t *tally, open source.Opener) {
			s, err := csaf.New(csaf.Config{Name: fileName, Document: open})
			t.all(s, err)
		}, more(inJSON(`{"vulnerabilities":[`, `{"cve":"`, `{"cve":"CVE-2024-0001","threats":[`),
			bomb{name: "branches without end", begin: `{"product_tree":{"branches":[`, again: `{},`},
			bomb{name: "branches in branches", begin: `{"product_tree":{"branches":[`, again: `{"branches":[`},
			bomb{name: "relationships without end", begin: `{"product_tree":{"relationships":[`, again: `{},`},
			bomb{name: "a title without end", begin: `{"document":{"title":"`, again: `a`},
			bomb{name: "notes without end", begin: `{"document":{"notes":[`, again: `{},`},
			bomb{name: "something without end", begin: `{"x":"`, again: `a`},
		)},
		{"csaf folder", "csaf: a/b.json", func(t *tally, open source.Opener) {
			s, err := csaf.New(csaf.Config{Folder: folder{name: "a/b.json", open: open}})
			t.all(s, err)
		}, more(packed(false), bomb{name: "a text without end", begin: `{"document":{"title":"`, again: "a"})},
		{"csaf changes", "csaf: changes.csv", func(t *tally, open source.Opener) {
			s, err := csaf.New(csaf.Config{Folder: folder{name: "changes.csv", open: open}})
			t.all(s, err)
		}, list(inLines("", `"a","`)...)},
		{"csaf index", "csaf: index.txt", func(t *tally, open source.Opener) {
			s, err := csaf.New(csaf.Config{Folder: folder{name: "index.txt", open: open}})
			t.all(s, err)
		}, list(inLines("", ``)...)},
		{"csaf metadata", "csaf: provider-metadata.json", func(t *tally, open source.Opener) {
			s, err := csaf.New(csaf.Config{Folder: folder{name: "provider-metadata.json", open: open}})
			t.all(s, err)
		}, more(packed(false), bomb{name: "a text without end", begin: `{"role":"`, again: "a"})},
		{"msrc JSON", "msrc: " + fileName, msrcDocument,
			more(inJSON(`{"Vulnerability":[`, `{"CVE":"`, `{"CVE":"CVE-2024-0001","Threats":[`, `{"CVE":"CVE-2024-0001","Remediations":[`),
				bomb{name: "branches without end", begin: `{"ProductTree":{"Branch":[`, again: `{},`},
				bomb{name: "branches in branches", begin: `{"ProductTree":{"Branch":[`, again: `{"Items":[`},
				bomb{name: "products without end", begin: `{"ProductTree":{"FullProductName":[`, again: `{},`},
				bomb{name: "notes without end", begin: `{"DocumentNotes":[`, again: `{},`},
				bomb{name: "something without end", begin: `{"x":"`, again: `a`},
			)},
		{"msrc XML", "msrc: " + fileName, msrcDocument,
			more(slow(inXML("<cvrfdoc>", "<Vulnerability>"), "records without end that are none"),
				bomb{name: "threats without end", begin: "<cvrfdoc><Vulnerability><Threats>", again: "<Threat/>"},
				bomb{name: "remediations without end", begin: "<cvrfdoc><Vulnerability><Remediations>", again: "<Remediation/>"},
				bomb{name: "products without end", begin: "<cvrfdoc><ProductTree>", again: "<FullProductName/>"},
				bomb{name: "branches in branches", begin: "<cvrfdoc><ProductTree>", again: "<Branch>"},
			)},
		{"msrc table", "msrc: supersedence", func(t *tally, open source.Opener) {
			s, err := msrc.New(msrc.Config{Supersedence: open})
			t.all(s, err)
		}, list(inLines("BulletinKB,Supersedes\n", "5055523,")...)},
		{"wua", "wua: " + fileName, func(t *tally, open source.Opener) {
			s, err := wua.New(wua.Config{Results: []wua.File{{Name: fileName, Open: open}}})
			t.all(s, err)
		}, list(inJSON(`{"Updates":[`, `{"Title":"`, `{"Identity":{"UpdateID":"f39d68ab-1519-4df8-85c1-d985be7f49c3"},"Categories":[`)...)},
		{"sofa", "sofa: " + fileName, func(t *tally, open source.Opener) {
			s, err := sofa.New(sofa.Config{Name: fileName, Open: open})
			t.all(s, err)
		}, more(inJSON(`{"OSVersions":[`, `{"OSVersion":"`, `{"SecurityReleases":[`),
			bomb{name: "rapid responses without end", begin: `{"OSVersions":[],"BackgroundSecurityImprovements":{"a":[`, again: `{},`},
		)},
		{"winget index", "winget: " + fileName + ": index", func(t *tally, open source.Opener) {
			s, err := winget.New(winget.Config{Name: fileName, Index: open})
			t.all(s, err)
		}, list(inJSON("[", `{"PackageID":"`)...)},
		{"winget manifests", "winget: " + fileName + ": a/b.yaml", func(t *tally, open source.Opener) {
			s, err := winget.New(winget.Config{Name: fileName, Manifests: folder{name: "a/b.yaml", open: open}})
			t.all(s, err)
		}, list(
			bomb{name: "a text without end", begin: "PackageName: ", again: "a"},
			bomb{name: "lists in lists", begin: "Installers: ", again: "["},
			bomb{name: "maps in maps", begin: "Installers: ", again: "{a: "},
			bomb{name: "dashes", begin: "Installers:\n", again: "- "},
			bomb{name: "installers without end", begin: "Installers:\n", again: "- {}\n"},
			bomb{name: "blanks", again: " "},
			bomb{name: "zeros", again: "\x00"},
			bomb{name: "blanks.gz", packed: "blanks.gz", malformed: true},
		)},
		{"homebrew", "homebrew: " + fileName, func(t *tally, open source.Opener) {
			_, refused, err := homebrew.Read(ctx, homebrew.Config{Name: fileName, Open: open})
			t.whole(refused, err)
		}, more(inJSON(`{"formulae":[`, `{"name":"`),
			bomb{name: "versions without end", begin: `{"formulae":[{"name":"a","installed_versions":[`, again: `"1",`},
		)},
		{"chocolatey", "chocolatey: " + fileName, func(t *tally, open source.Opener) {
			_, refused, err := chocolatey.Read(ctx, chocolatey.Config{Name: fileName, Open: open})
			t.whole(refused, err)
		}, list(inLines("", "a|")...)},
		{"kev JSON", "kev: " + fileName, kevFile, more(inJSON(`{"vulnerabilities":[`, `{"cveID":"`),
			bomb{name: "CWEs without end", begin: `{"vulnerabilities":[{"cveID":"CVE-2024-0001","cwes":[`, again: `"",`},
		)},
		{"kev CSV", "kev: " + fileName, kevFile, list(inLines("cveID,dateAdded\n", "CVE-2024-0001,")...)},
		{"epss JSON", "epss: " + fileName, epssFile, list(inJSON(`{"data":[`, `{"id":"`)...)},
		{"epss CSV", "epss: " + fileName, epssFile, more(inLines("cve,epss\n", "CVE-2024-0001,"),
			bomb{name: "comments without end", again: "#\n"},
			bomb{name: "one CVE again and again", begin: "cve,epss\n", again: "CVE-2024-0001,0.1\n"},
		)},
		{"nvd", "nvd: " + fileName, nvdFile, list(inJSON(`{"vulnerabilities":[`, `{"cve":{"id":"`, `{"cve":{"id":"CVE-2024-0001","metrics":{"cvssMetricV31":[`)...)},
		{"nvd 1.1", "nvd: " + fileName, nvdFile, list(inJSON(`{"CVE_Items":[`, `{"cve":{"CVE_data_meta":{"ID":"`)...)},
		{"lifecycle page", "lifecycle: " + fileName, func(t *tally, open source.Opener) {
			f, err := open()
			if err == nil {
				_, err = lifecycle.ReadPage(f, fileName)
			}
			t.tell(err)
		}, list(
			bomb{name: "a line without end", begin: "---\n", again: "a"},
			bomb{name: "empty lines", begin: "---\n", again: "\n"},
			bomb{name: "lists in lists", begin: "---\nreleases: ", again: "[\n"},
			bomb{name: "releases without end", begin: "---\nreleases:\n", again: "- {}\n"},
		)},
		{"lifecycle table", "lifecycle: " + fileName, func(t *tally, open source.Opener) {
			f, err := open()
			if err == nil {
				_, err = lifecycle.ReadDistroInfo(f, fileName)
			}
			t.tell(err)
		}, list(
			bomb{name: "a line without end", begin: "version,codename,release,eol\n", again: "a"},
			bomb{name: "quotes without end", begin: "version,codename,release,eol\n\"", again: "a"},
			bomb{name: "commas without end", begin: "version,codename,release,eol\n", again: ","},
			bomb{name: "rows without end", begin: "version,codename,release,eol\n", again: "1,a,,\n"},
		)},
		{"signed InRelease", "signed: ", func(t *tally, open source.Opener) {
			j, err := signed.New(signed.Config{Verifier: credulous{}})
			if err == nil {
				var r signed.Release
				if r, err = j.Release(ctx, open, signed.Want{Codename: "bookworm"}); err == nil {
					err = r.Err()
				}
			}
			t.tell(err)
		}, list(
			bomb{name: "a text without end", begin: clearBegin, again: "a"},
			bomb{name: "lines without end", begin: clearBegin, again: "A: a\n"},
			bomb{name: "zeros.bz2", packed: "zeros.bz2", malformed: true},
		)},
		{"signed repomd", "signed: ", func(t *tally, open source.Opener) {
			j, err := signed.New(signed.Config{Verifier: credulous{}})
			if err == nil {
				var r signed.Result
				signature := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
				if r, err = j.Repomd(ctx, open, signature, signed.Want{}); err == nil {
					err = r.Err()
				}
			}
			t.tell(err)
		}, list(
			bomb{name: "a text without end", begin: "<repomd>", again: "a"},
			bomb{name: "elements in elements", begin: "<repomd>", again: "<a>"},
			bomb{name: "elements without end", begin: "<repomd>", again: "<a/>"},
		)},
		{"catalog", "patch: saved catalog", func(t *tally, open source.Opener) {
			f, err := open()
			if err == nil {
				_, err = patch.ReadCatalog(f, patch.Limits{})
			}
			t.tell(err)
		}, list(
			bomb{name: "zeros", again: "\x00", malformed: true},
			bomb{name: "lengths beyond all bounds", begin: catalogBegin, again: "\xff", malformed: true},
		)},
	}
}

const (
	clearBegin   = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
	catalogBegin = "patchflow catalog\n\x01"
)

func msrcDocument(t *tally, open source.Opener) {
	s, err := msrc.New(msrc.Config{Documents: []msrc.Document{{Name: fileName, Open: open}}, Limits: t.limits})
	t.all(s, err)
}

func kevFile(t *tally, open source.Opener) {
	_, refused, err := kev.Read(context.Background(), kev.Config{Name: fileName, Open: open})
	t.whole(refused, err)
}

func epssFile(t *tally, open source.Opener) {
	_, refused, err := epss.Read(context.Background(), epss.Config{Name: fileName, Open: open})
	t.whole(refused, err)
}

func nvdFile(t *tally, open source.Opener) {
	_, refused, err := nvd.Read(context.Background(), nvd.Config{Inputs: []nvd.Input{{Name: fileName, Open: open}}})
	t.whole(refused, err)
}

// lame marks the records without end as malformed: a file of fields gives each record a name.
func lame(bombs []bomb) []bomb {
	for i := range bombs {
		bombs[i].malformed = bombs[i].malformed || bombs[i].name == "records without end that are none"
	}
	return bombs
}

// A credulous verifier takes everything for signed.
type credulous struct{}

func (credulous) Verify(context.Context, []byte, []byte, time.Time) ([]signed.Signature, error) {
	return []signed.Signature{{Key: "A"}}, nil
}

// A folder holds one file, which an opener opens.
type folder struct {
	name string
	open source.Opener
}

func (f folder) Open(name string) (fs.File, error) {
	lies := fstest.MapFS{f.name: &fstest.MapFile{}}
	file, err := lies.Open(name)
	if err != nil || name != f.name {
		return file, err
	}
	content, err := f.open()
	return opened{file, content}, err
}

// An opened file is one whose content comes from elsewhere.
type opened struct {
	fs.File
	content io.Reader
}

func (o opened) Read(p []byte) (int, error) { return o.content.Read(p) }
