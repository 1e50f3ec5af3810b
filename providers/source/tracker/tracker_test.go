package tracker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/tracker"
)

// Facts of the tracker, in its form: names, numbers and words. Descriptions are left out or made up.
const sample = `{
 "apparmor": {
  "CVE-2014-1424": {"scope": "local", "releases": {
   "bookworm": {"status": "resolved", "repositories": {"bookworm": "3.0.8-3"}, "fixed_version": "0", "urgency": "unimportant"},
   "sid": {"status": "resolved", "repositories": {"sid": "3.0.12-1"}, "fixed_version": "0", "urgency": "unimportant"}}}
 },
 "389-ds-base": {
  "CVE-2016-5405": {"debianbug": 842121, "scope": "local", "description": "An  invented\n description.", "releases": {
   "bullseye": {"status": "resolved", "repositories": {"bullseye": "1.4.4.11-2"}, "fixed_version": "1.3.5.15-1", "urgency": "not yet assigned"}}},
  "CVE-2016-5416": {"debianbug": 834233, "scope": "local", "releases": {
   "bullseye": {"status": "open", "repositories": {"bullseye": "1.4.4.11-2"}, "urgency": "not yet assigned", "nodsa": "Minor issue", "nodsa_reason": "ignored"}}}
 },
 "xen": {
  "CVE-2099-1": {"releases": {
   "bookworm": {"status": "open", "urgency": "low**"},
   "bullseye": {"status": "open", "urgency": "end-of-life"}}},
  "CVE-2099-2": {"releases": {"bookworm": {"status": "undetermined", "urgency": "not yet assigned"}}},
  "TEMP-0000000-0CA7E3": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "4.17.0-1", "urgency": "medium**"}}}
 },
 "linux": {
  "CVE-2099-1": {"debianbug": 7, "scope": "remote", "releases": {
   "bookworm": {"status": "resolved", "fixed_version": "6.1.9-1", "urgency": "high"},
   "bullseye": {"status": "resolved", "fixed_version": "0", "urgency": "low"}}}
 }
}`

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func releases() []tracker.Release {
	return []tracker.Release{{Codename: "bookworm", Version: "12"}, {Codename: "bullseye", Version: "11"}}
}

func newSource(t testing.TB, content string, change ...func(*tracker.Config)) *tracker.Source {
	t.Helper()
	config := tracker.Config{Open: text(content), Releases: releases()}
	for _, f := range change {
		f(&config)
	}
	s, err := tracker.New(config)
	require.NoError(t, err)
	return s
}

func list(t testing.TB, s patch.Source, q patch.Query) (patches []patch.Patch, errs []error) {
	t.Helper()
	for p, err := range s.Patches(t.Context(), q) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		patches = append(patches, p)
	}
	return patches, errs
}

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

func TestPatches(t *testing.T) {
	got, errs := list(t, newSource(t, sample), patch.Query{})
	require.Empty(t, errs)
	bookworm, bullseye := patch.Platform{OS: "debian", Version: "12"}, patch.Platform{OS: "debian", Version: "11"}
	of := func(release, source, fixed string) patch.Package {
		p := patch.Package{Ecosystem: release, Source: source}
		if fixed != "" {
			p.Fixed = deb(fixed)
		}
		return p
	}
	refs := func(name string, more ...string) []string {
		return append([]string{"https://security-tracker.debian.org/tracker/" + name}, more...)
	}
	require.Empty(t, cmp.Diff([]patch.Patch{
		{ID: "tracker:bookworm/CVE-2014-1424", Title: "CVE-2014-1424 in apparmor", Platform: bookworm, Classification: patch.ClassSecurity,
			Advisories: []patch.Advisory{{ID: "CVE-2014-1424", CVEs: []string{"CVE-2014-1424"}}}, Native: map[string]string{"scope": "local"},
			Unaffected: []patch.Package{of("Debian:12", "apparmor", "")}, References: refs("CVE-2014-1424")},
		{ID: "tracker:bookworm/CVE-2099-1", Title: "CVE-2099-1 in linux, xen", Platform: bookworm, Classification: patch.ClassSecurity,
			Severity: patch.SeverityImportant, SeverityRaw: "high, low**", Native: map[string]string{"scope": "remote"},
			Advisories: []patch.Advisory{{ID: "CVE-2099-1", CVEs: []string{"CVE-2099-1"}, Severity: patch.SeverityImportant, SeverityRaw: "high, low**"}},
			Packages:   []patch.Package{of("Debian:12", "linux", "6.1.9-1"), of("Debian:12", "xen", "")},
			References: refs("CVE-2099-1", "https://bugs.debian.org/7")},
		{ID: "tracker:bookworm/TEMP-0000000-0CA7E3", Title: "TEMP-0000000-0CA7E3 in xen", Platform: bookworm, Classification: patch.ClassSecurity,
			Severity: patch.SeverityModerate, SeverityRaw: "medium**",
			Advisories: []patch.Advisory{{ID: "TEMP-0000000-0CA7E3", Severity: patch.SeverityModerate, SeverityRaw: "medium**"}},
			Packages:   []patch.Package{of("Debian:12", "xen", "4.17.0-1")}, References: refs("TEMP-0000000-0CA7E3")},
		{ID: "tracker:bullseye/CVE-2016-5405", Title: "CVE-2016-5405 in 389-ds-base", Platform: bullseye, Classification: patch.ClassSecurity,
			SeverityRaw: "not yet assigned", Native: map[string]string{"scope": "local"},
			Advisories: []patch.Advisory{{ID: "CVE-2016-5405", Title: "An invented description.", CVEs: []string{"CVE-2016-5405"}, SeverityRaw: "not yet assigned"}},
			Packages:   []patch.Package{of("Debian:11", "389-ds-base", "1.3.5.15-1")}, References: refs("CVE-2016-5405", "https://bugs.debian.org/842121")},
		{ID: "tracker:bullseye/CVE-2016-5416", Title: "CVE-2016-5416 in 389-ds-base", Platform: bullseye, Classification: patch.ClassSecurity,
			SeverityRaw: "not yet assigned", Native: map[string]string{"scope": "local", "nodsa:389-ds-base": "Minor issue", "nodsa_reason:389-ds-base": "ignored"},
			Advisories: []patch.Advisory{{ID: "CVE-2016-5416", CVEs: []string{"CVE-2016-5416"}, SeverityRaw: "not yet assigned"}},
			Packages:   []patch.Package{of("Debian:11", "389-ds-base", "")}, References: refs("CVE-2016-5416", "https://bugs.debian.org/834233")},
		{ID: "tracker:bullseye/CVE-2099-1", Title: "CVE-2099-1 in linux, xen", Platform: bullseye, Classification: patch.ClassSecurity,
			SeverityRaw: "end-of-life", Native: map[string]string{"scope": "remote"},
			Advisories: []patch.Advisory{{ID: "CVE-2099-1", CVEs: []string{"CVE-2099-1"}, SeverityRaw: "end-of-life"}},
			Packages:   []patch.Package{of("Debian:11", "xen", "")}, Unaffected: []patch.Package{of("Debian:11", "linux", "")},
			References: refs("CVE-2099-1", "https://bugs.debian.org/7")},
	}, got))
	_, err := patch.NewCatalog(got)
	require.NoError(t, err)
}

// What comes of it for a device: fixed, open, and free.
func TestADeviceIsAssessed(t *testing.T) {
	patches, errs := list(t, newSource(t, sample), patch.Query{})
	require.Empty(t, errs)
	catalog, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	installed := func(name, of, v string) inventory.Software {
		return inventory.Software{Manager: "apt", Ecosystem: "Debian:12", Name: name, Source: of, Arch: "amd64", Version: deb(v)}
	}
	device := inventory.Device{ID: "d", Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
		Software: []inventory.Software{installed("linux-image", "linux", "6.1.8-1"), installed("xen-utils", "xen", "4.17.1-1"), installed("libapparmor1", "apparmor", "3.0.8-3")},
		Coverage: []inventory.Coverage{{Manager: "apt", Status: inventory.Complete}}}
	a := inventory.Assess(catalog, &device)
	require.Empty(t, a.Unknown)
	require.Len(t, a.Findings, 1)
	require.Equal(t, patch.ID("tracker:bookworm/CVE-2099-1"), a.Findings[0].Patch)
	require.Len(t, a.Open, 1)
	require.Contains(t, a.Open[0].String(), "xen")
	_, free := catalog.Unaffected("Debian:12", "apparmor", "CVE-2014-1424")
	require.True(t, free)
}

func TestUnreadableRecordsAreToldAndTheRestIsKept(t *testing.T) {
	for _, row := range []struct{ record, want string }{
		{`"a": {"CVE-1": 5}`, "source a: CVE-1: unreadable record: json"},
		{`"a": {"CVE-1": {}}`, "source a: CVE-1: unreadable record: no releases"},
		{`"a": {"CVE-1": {"releases": [1]}}`, "source a: CVE-1: unreadable record: json"},
		{`"a": {"CVE-1": {"releases": null}}`, "source a: CVE-1: unreadable record: no releases"},
		{`"a": {"CVE 1": {"releases": {}}}`, `source a: CVE 1: unreadable record: nothing is called "CVE 1"`},
		{`"a": {"../..": {"releases": {}}}`, `nothing is called "../.."`},
		{`"a": 5`, `source a: unreadable record: '5' where an object is expected`},
		{`"a": null`, `source a: unreadable record: 'n' where an object is expected`},
		{`"a": [1, {"b": [2]}, 3]`, `source a: unreadable record: '[' where an object is expected`},
		{`"a b": {"CVE-1": {"releases": {}}}`, `no source package is called "a b"`},
		{`"": {}`, `no source package is called ""`},
		{`"z": {}`, "source z: unreadable record: it is listed already"},
		{`"a": {"CVE-1": {"releases": {"bookworm": 5}}}`, "source a: CVE-1: bookworm: unreadable record: json"},
		{`"a": {"CVE-1": {"releases": {"bookworm": {"status": "what"}}}}`, `source a: CVE-1: bookworm: unreadable record: its status is "what"`},
		{`"a": {"CVE-1": {"releases": {"bookworm": {}}}}`, `its status is ""`},
		{`"a": {"CVE-1": {"releases": {"bookworm": {"status": "resolved"}}}}`, "it is resolved, and in no version"},
		{`"a": {"CVE-1": {"releases": {"bookworm": {"status": "open", "fixed_version": "1"}}}}`, `it is open, and fixed in "1"`},
		{`"a": {"CVE-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "?"}}}}`, `deb "?"`},
		{`"a": {"CVE-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": 1}}}}`, "json"},
		{`"a": {"CVE-1": {"releases": {}}, "CVE-1": {"releases": {}}}`, "source a: CVE-1: unreadable record: it is listed already"},
	} {
		const good = `{"CVE-9": {"releases": {"bookworm": {"status": "open"}}}}`
		got, errs := list(t, newSource(t, `{"z": `+good+`, `+row.record+`, "y": `+good+`}`), patch.Query{})
		require.Len(t, errs, 1, row.record)
		require.ErrorIs(t, errs[0], patch.ErrRecord, row.record)
		require.ErrorContains(t, errs[0], "tracker: tracker.json: source ", row.record)
		require.ErrorContains(t, errs[0], row.want)
		require.Len(t, got, 1, row.record)
		require.Equal(t, "CVE-9 in y, z", got[0].Title, row.record)
	}
	// What is wrong with a release that nobody asks for is nobody's business, and hides no other.
	got, errs := list(t, newSource(t, `{"a": {"CVE-1": {"releases": {"sid": 5, "bullseye": {}, "bookworm": {"status": "open"}}}}}`), patch.Query{})
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "source a: CVE-1: bullseye: ")
	require.Len(t, got, 1)
}

// The export writes an array where there is no release.
func TestARecordWithoutReleasesSaysNothing(t *testing.T) {
	got, errs := list(t, newSource(t, `{"a": {"CVE-1": {"releases": []}, "CVE-2": {"releases": {}}}}`), patch.Query{})
	require.Empty(t, got)
	require.Empty(t, errs)
}

func TestAFileThatIsNotWholeLeavesNothingButItsError(t *testing.T) {
	for name, content := range map[string]string{
		"nothing": "", "an array": "[]", "a word": `"x"`, "not closed": strings.TrimSuffix(sample, "}"), "cut": sample[:len(sample)/2],
		"more than one": sample + "{}", "no colon": `{"a" {}}`, "a login page": "<html>",
	} {
		got, errs := list(t, newSource(t, content), patch.Query{})
		require.Empty(t, got, name)
		require.Len(t, errs, 1, name)
		require.NotErrorIs(t, errs[0], patch.ErrRecord, name)
		require.ErrorContains(t, errs[0], "tracker: tracker.json: ", name)
	}
	for n := range len(sample) - 1 {
		got, errs := list(t, newSource(t, sample[:n]), patch.Query{})
		require.Empty(t, got, "cut at %d", n)
		require.ErrorIs(t, errs[len(errs)-1], io.ErrUnexpectedEOF, "cut at %d", n)
	}
}

func TestBounds(t *testing.T) {
	_, errs := list(t, newSource(t, sample, func(c *tracker.Config) { c.Limits.Records = 3 }), patch.Query{})
	require.ErrorIs(t, errs[0], source.ErrTooLarge)
	require.ErrorContains(t, errs[0], "more than 3 records")
	for name, content := range map[string]string{
		"of a record": `{"a": {"CVE-1": {"description": "` + strings.Repeat("x", 9<<20) + `"}}}`,
		"of a name":   `{"` + strings.Repeat("x", 9<<20) + `": {}}`,
	} {
		got, errs := list(t, newSource(t, content), patch.Query{})
		require.Empty(t, got)
		require.Len(t, errs, 1, name)
		require.ErrorIs(t, errs[0], source.ErrTooLarge, name)
	}
	deep := `{"a": {"CVE-1": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`
	_, errs = list(t, newSource(t, deep), patch.Query{})
	require.Len(t, errs, 1)
}

func TestPlatformsNarrowTheReleases(t *testing.T) {
	s := newSource(t, sample)
	for version, want := range map[string]int{"12": 3, "12.11": 3, "11": 3, "13": 0, "1": 0, "": 6} {
		got, errs := list(t, s, patch.Query{Platforms: []patch.Platform{{OS: "debian", Version: version}}})
		require.Empty(t, errs)
		require.Len(t, got, want, version)
	}
	nobody := newSource(t, sample, func(c *tracker.Config) {
		c.Open = func() (io.ReadCloser, error) { return nil, errors.New("opened") }
	})
	got, errs := list(t, nobody, patch.Query{Platforms: []patch.Platform{{OS: "ubuntu"}}})
	require.Empty(t, got)
	require.Empty(t, errs, "what nobody asks for is not opened")
}

func TestNewNamesEveryFieldThatIsWrong(t *testing.T) {
	_, err := tracker.New(tracker.Config{Releases: []tracker.Release{{Codename: "a b", Version: "1"}, {Codename: "c"}, {"d", "1"}, {"d", "2"}}})
	for _, want := range []string{"no Open", `Releases[0] is "a b", "1"`, `Releases[1] is "c", ""`, `Releases[3]: "d" stands there already`} {
		require.ErrorContains(t, err, want)
	}
	_, err = tracker.New(tracker.Config{Open: text("")})
	require.ErrorContains(t, err, "no Releases")
}

func TestSource(t *testing.T) {
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, sample) },
		Want: []patch.ID{"tracker:bookworm/CVE-2099-1", "tracker:bullseye/CVE-2016-5416"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, strings.Replace(sample, `"6.1.9-1"`, `"six"`, 1)), "source linux: CVE-2099-1: bookworm: "
		},
		Broken: func(t *testing.T) patch.Source {
			return newSource(t, "", func(c *tracker.Config) {
				c.Open = func() (io.ReadCloser, error) {
					return io.NopCloser(io.MultiReader(strings.NewReader(sample[:500]), iotest.ErrReader(errors.New("disk on fire")))), nil
				}
			})
		},
	})
}

// The samples that other projects keep of the tracker, whole.
func TestCapturedSamples(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "debian-security-tracker"))
	all := []tracker.Release{{"bookworm", "12"}, {"bullseye", "11"}, {"buster", "10"}, {"stretch", "9"}, {"jessie", "8"}, {"trixie", "13"}, {"sid", "unstable"}}
	for name, want := range map[string]struct{ patches, packages, open, unaffected int }{
		"tracker-api-sample.json":                   {8, 4, 2, 4},
		"vunnel_debian.json":                        {25, 21, 2, 4},
		"osv.dev_debian_security_tracker_mock.json": {15, 10, 3, 5},
	} {
		s, err := tracker.New(tracker.Config{Open: source.File(folder, name), Name: name, Releases: all})
		require.NoError(t, err)
		patches, errs := list(t, s, patch.Query{})
		require.Empty(t, errs, name)
		_, err = patch.NewCatalog(patches)
		require.NoError(t, err)
		got := want
		got.patches, got.packages, got.open, got.unaffected = len(patches), 0, 0, 0
		for _, p := range patches {
			got.packages += len(p.Packages)
			got.unaffected += len(p.Unaffected)
			for _, x := range p.Packages {
				if x.Fixed.IsZero() {
					got.open++
				}
			}
		}
		require.Equal(t, want, got, name)
	}
}

// large returns an export of so many source packages, with ten CVEs each.
func large(sources int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range sources {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n %q: {", fmt.Sprintf("source-%d", i))
		for j := range 10 {
			if j > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, `"CVE-2099-%d": {"description": %q, "scope": "local", "releases": {`, i*7+j, strings.Repeat("words ", 50))
			for k, codename := range []string{"bookworm", "bullseye", "sid", "trixie"} {
				if k > 0 {
					b.WriteString(",")
				}
				fmt.Fprintf(&b, `%q: {"status": "resolved", "repositories": {%q: "1.0-%d"}, "fixed_version": "1.0-%d", "urgency": "not yet assigned"}`, codename, codename, i, j)
			}
			b.WriteString("}}")
		}
		b.WriteString("}")
	}
	return b.String() + "}"
}

// One release of an export as large as the real one: 4,000 source packages and 40,000 pairs, 36 MB.
func BenchmarkPatches(b *testing.B) {
	content := large(4000)
	s := newSource(b, content, func(c *tracker.Config) { c.Releases = c.Releases[:1] })
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.Patches(context.Background(), patch.Query{}) {
			require.NoError(b, err)
		}
	}
}

func FuzzPatches(f *testing.F) {
	f.Add(sample)
	f.Add(`{"a": [1, {"b": [2]}], "c": {"CVE-1": {"releases": {"bookworm": {"status": "open"}}}}}`)
	f.Add(`{"a": {"CVE-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}}}, "a": {}}`)
	f.Fuzz(func(t *testing.T, content string) {
		seen := make(map[patch.ID]bool)
		ended := false
		for p, err := range newSource(t, content).Patches(t.Context(), patch.Query{}) {
			require.False(t, ended, "after its last pair")
			if err != nil {
				require.ErrorContains(t, err, "tracker: tracker.json: ")
				require.Empty(t, seen, "errors come first")
				ended = !errors.Is(err, patch.ErrRecord)
				continue
			}
			require.False(t, seen[p.ID])
			seen[p.ID] = true
			require.Positive(t, len(p.Packages)+len(p.Unaffected))
			require.LessOrEqual(t, len(p.Advisories[0].Title), 200)
			for _, x := range p.Packages {
				if !x.Fixed.IsZero() {
					_, err := version.Parse(version.Deb, x.Fixed.Text)
					require.NoError(t, err)
				}
			}
		}
	})
}

func Example() {
	export := `{"openssl": {"CVE-2099-1": {"releases": {
		"bookworm": {"status": "resolved", "fixed_version": "3.0.17-1~deb12u3", "urgency": "high"}}},
		"CVE-2099-2": {"releases": {"bookworm": {"status": "open", "urgency": "unimportant", "nodsa": "Minor issue"}}},
		"CVE-2099-3": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}},
		"CVE-2099-4": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "soon"}}}}}`
	s, err := tracker.New(tracker.Config{
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(export)), nil },
		Releases: []tracker.Release{{Codename: "bookworm", Version: "12"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			fmt.Println("left out:", err)
		case err != nil:
			fmt.Println("not complete:", err)
		case len(p.Unaffected) > 0:
			fmt.Println(p.ID, "does not concern", p.Unaffected[0].Source)
		case p.Packages[0].Fixed.IsZero():
			fmt.Println(p.ID, p.Severity, "is open in", p.Packages[0].Source)
		default:
			fmt.Println(p.ID, p.Severity, "is fixed in", p.Packages[0].Source, p.Packages[0].Fixed)
		}
	}
	// Output:
	// left out: tracker: tracker.json: source openssl: CVE-2099-4: bookworm: unreadable record: version: deb "soon": the upstream version does not start with a digit: not a version
	// tracker:bookworm/CVE-2099-1 important is fixed in openssl 3.0.17-1~deb12u3
	// tracker:bookworm/CVE-2099-2 low is open in openssl
	// tracker:bookworm/CVE-2099-3 does not concern openssl
}
