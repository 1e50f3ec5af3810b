package debian_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// stanza builds one stanza of an index: name, version, architecture, source ("" for none).
func stanza(name, v, arch, source string) string {
	s := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\n", name, v, arch)
	if source != "" {
		s += "Source: " + source + "\n"
	}
	return s + fmt.Sprintf("Filename: pool/main/%s_%s_%s.deb\nSize: 100\nSHA256: %s\n\n", name, v, arch, sum)
}

func config(indices ...debian.Index) debian.Config {
	return debian.Config{Codename: "bookworm", Version: "12", Indices: indices}
}

func base(content string) debian.Index { return debian.Index{Origin: "bookworm", Open: text(content)} }

func securityIndex(content string) debian.Index {
	return debian.Index{Origin: "bookworm-security", Security: true, Open: text(content)}
}

// collect returns the patches and the errors of a listing, in order.
func collect(t *testing.T, c debian.Config, q patch.Query) ([]patch.Patch, []error) {
	t.Helper()
	source, err := debian.New(c)
	require.NoError(t, err)
	var patches []patch.Patch
	var errs []error
	for p, err := range source.Patches(t.Context(), q) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		patches = append(patches, p)
	}
	return patches, errs
}

func TestPatchHoldsWhatTheIndicesSay(t *testing.T) {
	shared := stanza("libssl3", "3.0.17-1", "amd64", "openssl")
	got := listPatches(t, config(
		base(shared+stanza("openssl", "3.0.17-1+b1", "amd64", "openssl (3.0.17-1)")),
		securityIndex(shared+stanza("libssl-doc", "3.0.17-1", "all", "openssl")),
	), patch.Query{})
	deb := func(v string) version.Version { return version.Version{Scheme: version.Deb, Text: v} }
	file := func(name string) []patch.Artefact {
		return []patch.Artefact{{Name: "pool/main/" + name + ".deb", Size: 100, Digest: "sha256:" + sum}}
	}
	want := []patch.Patch{{
		ID:                "debian:bookworm/openssl=3.0.17-1",
		Title:             "openssl 3.0.17-1",
		Platform:          patch.Platform{OS: "debian", Version: "12"},
		Classification:    patch.ClassSecurity,
		ClassificationRaw: []string{"bookworm-security"},
		Packages: []patch.Package{
			{Ecosystem: "Debian:12", Name: "libssl-doc", Source: "openssl", Arch: "all", Fixed: deb("3.0.17-1"), Origins: []string{"bookworm-security"}, Artefacts: file("libssl-doc_3.0.17-1_all")},
			{Ecosystem: "Debian:12", Name: "libssl3", Source: "openssl", Arch: "amd64", Fixed: deb("3.0.17-1"), Origins: []string{"bookworm", "bookworm-security"}, Artefacts: file("libssl3_3.0.17-1_amd64")},
			{Ecosystem: "Debian:12", Name: "openssl", Arch: "amd64", Fixed: deb("3.0.17-1+b1"), Origins: []string{"bookworm"}, Artefacts: file("openssl_3.0.17-1+b1_amd64")},
		},
		Reversal: patch.ReversalReinstall,
		Size:     300,
		Native:   map[string]string{"source": "openssl", "sourceVersion": "3.0.17-1"},
	}}
	require.Empty(t, cmp.Diff(want, got))
}

func TestPackagesOfSeveralIndicesAndArchitecturesStandOnce(t *testing.T) {
	both := stanza("a", "1", "amd64", "") + stanza("a", "1", "all", "") + stanza("a", "1", "arm64", "")
	patches := listPatches(t, config(base(both), base(both), securityIndex(both)), patch.Query{})
	require.Len(t, patches, 1)
	var got []string
	for _, p := range patches[0].Packages {
		got = append(got, fmt.Sprint(p.Name, " ", p.Arch, " ", p.Origins, " ", len(p.Artefacts)))
	}
	require.Equal(t, []string{
		"a all [bookworm bookworm-security] 1", "a amd64 [bookworm bookworm-security] 1", "a arm64 [bookworm bookworm-security] 1",
	}, got)
}

func TestClassificationFollowsTheOrigins(t *testing.T) {
	one := stanza("jq", "1.6-2", "amd64", "")
	index := func(origin string, security bool) debian.Index {
		return debian.Index{Origin: origin, Security: security, Open: text(one)}
	}
	for _, row := range []struct {
		name    string
		indices []debian.Index
		want    patch.Classification
		raw     []string
	}{
		{"a point release is a bugfix", []debian.Index{index("bookworm", false)}, patch.ClassBugfix, []string{"bookworm"}},
		{"so is what comes between point releases", []debian.Index{index("bookworm-updates", false)}, patch.ClassBugfix, []string{"bookworm-updates"}},
		{"a security archive decides alone", []debian.Index{index("bookworm", false), index("bookworm-security", true)}, patch.ClassSecurity, []string{"bookworm-security"}},
		{"of backports nobody says", []debian.Index{index("bookworm-backports", false)}, patch.ClassUnknown, []string{"bookworm-backports"}},
		{"of other vendors nobody says", []debian.Index{index("nodistro", false)}, patch.ClassUnknown, []string{"nodistro"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			patches := listPatches(t, config(row.indices...), patch.Query{})
			require.Len(t, patches, 1)
			require.Equal(t, row.want, patches[0].Classification)
			require.Equal(t, row.raw, patches[0].ClassificationRaw)
			require.False(t, patches[0].Contested)
			require.Equal(t, patch.SeverityUnrated, patches[0].Severity)
		})
	}
}

func TestLaterVersionsSupersedeWhatTheyCover(t *testing.T) {
	patches := listPatches(t, config(base(
		stanza("a", "1.10", "amd64", "")+stanza("a", "1.9", "amd64", "")+stanza("a", "1.9~rc1", "amd64", "")+
			stanza("b", "1", "amd64", "")+stanza("b", "1", "arm64", "")+stanza("b", "2", "amd64", "")+
			stanza("c", "1", "amd64", "")+stanza("c", "2", "all", "")+
			stanza("d", "1.0", "amd64", "")+stanza("d", "0:1.0", "amd64", ""),
	)), patch.Query{})
	got := make(map[patch.ID][]patch.ID)
	for _, p := range patches {
		if len(p.Supersedes) > 0 {
			got[p.ID] = p.Supersedes
		}
	}
	require.Equal(t, map[patch.ID][]patch.ID{
		"debian:bookworm/a=1.9":  {"debian:bookworm/a=1.9~rc1"},
		"debian:bookworm/a=1.10": {"debian:bookworm/a=1.9~rc1", "debian:bookworm/a=1.9"},
		"debian:bookworm/c=2":    {"debian:bookworm/c=1"},
		// b=2 was not built for arm64 yet, and the two spellings of d are one version.
	}, got)
}

func TestKernelsMayNeedARestart(t *testing.T) {
	patches := listPatches(t, config(base(stanza("linux-image-6.1.0-50-amd64", "6.1.170-1", "amd64", "linux-signed-amd64 (6.1.170+1)")+stanza("systemd", "252", "amd64", ""))), patch.Query{})
	require.Len(t, patches, 2)
	require.Equal(t, patch.ID("debian:bookworm/linux-signed-amd64=6.1.170+1"), patches[0].ID)
	require.Equal(t, patch.RebootMaybe, patches[0].Reboot)
	require.Equal(t, patch.RebootUnknown, patches[1].Reboot)
}

func TestAdvisoriesExplainTheLowestVersionThatHasTheFix(t *testing.T) {
	c := config(base(stanza("curl", "7.88.1-10+deb12u5", "amd64", "") + stanza("curl", "7.88.1-10+deb12u9", "amd64", "") + stanza("jq", "1.6-2", "amd64", "")))
	c.Advisories = text(`[03 Feb 2025] DSA-9-1 curl - security update
	{CVE-2025-0003}
	[bookworm] - curl 7.88.1-10+deb12u99
[02 Feb 2025] DSA-3-1 curl - security update
	{CVE-2025-0002}
	[bookworm] - curl 7.88.1-10+deb12u9
[01 Feb 2025] DSA-2-1 curl - security update
	{CVE-2025-0001 CVE-2025-0004}
	[bullseye] - curl 7.74.0-1.3+deb11u9
	[bookworm] - curl 7.88.1-10+deb12u4
[01 Jan 2025] DSA-1-1 jq - security update
	[bookworm] - jq <not-affected>
	[bullseye] - jq 1.6-1
`)
	patches := listPatches(t, c, patch.Query{})
	require.Len(t, patches, 3)
	day := func(d int) time.Time { return time.Date(2025, 2, d, 0, 0, 0, 0, time.UTC) }
	require.Equal(t, []patch.Advisory{{ID: "DSA-2-1", Title: "curl - security update", CVEs: []string{"CVE-2025-0001", "CVE-2025-0004"}, Published: day(1)}}, patches[0].Advisories)
	require.True(t, patches[0].Released.IsZero(), "the advisory names an earlier version")
	require.Equal(t, []patch.Advisory{{ID: "DSA-3-1", Title: "curl - security update", CVEs: []string{"CVE-2025-0002"}, Published: day(2)}}, patches[1].Advisories)
	require.Equal(t, day(2), patches[1].Released)
	require.Empty(t, patches[2].Advisories)
}

func TestQueryNarrowsByPlatform(t *testing.T) {
	c := config(base(stanza("a", "1", "amd64", "") + stanza("b", "1", "all", "") + stanza("c", "1", "arm64", "")))
	for _, row := range []struct {
		name      string
		platforms []patch.Platform
		want      int
	}{
		{"none asks for all", nil, 3},
		{"an empty one asks for all", []patch.Platform{{}}, 3},
		{"the release", []patch.Platform{{OS: "debian", Version: "12"}}, 3},
		{"a point release", []patch.Platform{{OS: "debian", Version: "12.11"}}, 3},
		{"an architecture gets its own and what fits all", []patch.Platform{{OS: "debian", Version: "12", Arch: "arm64"}}, 2},
		{"another release", []patch.Platform{{OS: "debian", Version: "1"}, {OS: "debian", Version: "120"}}, 0},
		{"another system", []patch.Platform{{OS: "windows"}}, 0},
		{"one of two fits", []patch.Platform{{OS: "windows"}, {OS: "debian", Arch: "amd64"}}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Len(t, listPatches(t, c, patch.Query{Platforms: row.platforms}), row.want)
		})
	}
	require.Len(t, listPatches(t, c, patch.Query{Since: time.Now()}), 3, "indices have no dates")
}

func TestUnreadableStanzasAreToldAndTheRestIsListed(t *testing.T) {
	for _, row := range []struct{ name, bad, want string }{
		{"no package", "Version: 1\nArchitecture: all\n\n", `stanza 2, line 8: field Package is ""`},
		{"an option as a name", "Package: --force\nVersion: 1\nArchitecture: all\n\n", `stanza 2, line 8: field Package is "--force"`},
		{"no version", "Package: x\nArchitecture: all\n\n", `stanza 2, line 8: package x: field Version: version: deb "": it is empty`},
		{"no architecture", "Package: x\nVersion: 1\n\n", `stanza 2, line 8: package x: field Architecture is ""`},
		{"a bad version", "Package: x\nVersion: 1_2\nArchitecture: all\n\n", `field Version: version: deb "1_2"`},
		{"a bad source", "Package: x\nVersion: 1\nArchitecture: all\nSource: y 1\n\n", `field Source is "y 1"`},
		{"a bad source version", "Package: x\nVersion: 1\nArchitecture: all\nSource: y (one)\n\n", `field Source: version: deb "one"`},
		{"a bad size", "Package: x\nVersion: 1\nArchitecture: all\nFilename: x\nSize: -1\n\n", `field Size is "-1"`},
		{"a bad hash", "Package: x\nVersion: 1\nArchitecture: all\nFilename: x\nSHA256: 12\n\n", `field SHA256 is "12"`},
		{"a file outside of the archive", "Package: x\nVersion: 1\nArchitecture: all\nFilename: pool/../../../etc/x\n\n", `leaves the archive`},
		{"no field at all", "Package: x\nrubbish\n\n", `stanza 2, line 9: "rubbish" is no field`},
		{"a field twice", "Package: x\nVersion: 1\nVersion: 2\n\n", `stanza 2, line 10: field Version stands twice`},
	} {
		t.Run(row.name, func(t *testing.T) {
			patches, errs := collect(t, config(base(stanza("a", "1", "all", "")+row.bad+stanza("z", "1", "all", ""))), patch.Query{})
			require.Len(t, patches, 2)
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], patch.ErrRecord)
			require.ErrorContains(t, errs[0], "debian: bookworm: ")
			require.ErrorContains(t, errs[0], row.want)
		})
	}
}

func TestDifferentFilesUnderOneVersionAreTold(t *testing.T) {
	other := strings.ReplaceAll(stanza("a", "1", "all", ""), "0123", "4567")
	patches, errs := collect(t, config(base(stanza("a", "1", "all", "")), debian.Index{Origin: "elsewhere", Open: text(other)}), patch.Query{})
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], "package a 1 all: bookworm and elsewhere hold different files")
	require.Len(t, patches, 1)
	require.Equal(t, patch.Digest("sha256:"+sum), patches[0].Packages[0].Artefacts[0].Digest)
}

func TestIndexThatCannotBeReadToItsEndIsTheLastError(t *testing.T) {
	good := stanza("a", "1", "all", "")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, strings.Repeat(good, 10))
	require.NoError(t, w.Close())
	broken := errors.New("disk on fire")
	for _, row := range []struct {
		name string
		open source.Opener
		want error
		text string
	}{
		{"it does not open", func() (io.ReadCloser, error) { return nil, broken }, broken, "debian: bookworm-security: disk on fire"},
		{"it ends in a line", text(strings.TrimRight(good, "\n")), io.ErrUnexpectedEOF, "debian: bookworm-security: line 6: "},
		{"it ends in compressed data", text(packed.String()[:packed.Len()-9]), io.ErrUnexpectedEOF, "gzip data ends"},
		{"it stops", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(good), iotest.ErrReader(broken))), nil
		}, broken, "line 8: "},
		{"it is packed in a way that is not read", text("\x5d\x00\x00\x80\x00\xff"), errors.ErrUnsupported, "lzma"},
	} {
		t.Run(row.name, func(t *testing.T) {
			patches, errs := collect(t, config(base(good), debian.Index{Origin: "bookworm-security", Open: row.open}), patch.Query{})
			require.Empty(t, patches, "a patch is whole only when every index has been read")
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], row.want)
			require.NotErrorIs(t, errs[0], patch.ErrRecord)
			require.ErrorContains(t, errs[0], row.text)
		})
	}
	t.Run("the list of advisories is cut short", func(t *testing.T) {
		c := config(base(good))
		c.Advisories = text("[01 Jan 2025] DSA-1-1 a - security update\n\t[bookworm] - a 1.0")
		patches, errs := collect(t, c, patch.Query{})
		require.Empty(t, patches)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], io.ErrUnexpectedEOF)
	})
}

func TestLimitsAreKept(t *testing.T) {
	three := stanza("a", "1", "all", "") + stanza("b", "1", "all", "") + stanza("c", "1", "all", "")
	for name, limits := range map[string]source.Limits{"records": {Records: 2}, "bytes": {Bytes: int64(len(three)) - 1}} {
		c := config(base(three))
		c.Limits = limits
		patches, errs := collect(t, c, patch.Query{})
		require.Empty(t, patches, name)
		require.Len(t, errs, 1, name)
		require.ErrorContains(t, errs[0], "larger than allowed", name)
	}
	c := config(base(three))
	c.Limits = source.Limits{Records: 3, Bytes: int64(len(three))}
	require.Len(t, listPatches(t, c, patch.Query{}), 3)
}

func TestListingStopsWhenAsked(t *testing.T) {
	c := config(base("bad\n\n"+stanza("a", "1", "all", "")+stanza("b", "1", "all", "")), base("bad\n\n"))
	source, err := debian.New(c)
	require.NoError(t, err)
	for stop := 1; stop <= 4; stop++ {
		n := 0
		for range source.Patches(t.Context(), patch.Query{}) {
			if n++; n == stop {
				break
			}
		}
		require.Equal(t, stop, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range source.Patches(ctx, patch.Query{}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range source.Patches(ctx, patch.Query{}) {
		last = err
		cancel()
	}
	require.ErrorIs(t, last, context.Canceled)
}

func TestNewNamesEveryMissingField(t *testing.T) {
	_, err := debian.New(debian.Config{Codename: "book worm"})
	require.ErrorContains(t, err, `Codename is "book worm"`)
	require.ErrorContains(t, err, `Version is ""`)
	require.ErrorContains(t, err, "no Indices")
	_, err = debian.New(config(debian.Index{Origin: "bookworm"}, debian.Index{Open: text("")}))
	require.ErrorContains(t, err, "Indices[0]")
	require.ErrorContains(t, err, "Indices[1]")
}

func TestOtherVendors(t *testing.T) {
	c := debian.Config{Vendor: "Ubuntu", Codename: "jammy", Version: "22.04", Indices: []debian.Index{
		{Origin: "jammy-updates", Open: text("Package: a\nVersion: 1\nArchitecture: all\nPhased-Update-Percentage: 20\n\n")},
	}}
	patches := listPatches(t, c, patch.Query{Platforms: []patch.Platform{{OS: "ubuntu", Version: "22.04"}}})
	require.Len(t, patches, 1)
	require.Equal(t, patch.ID("ubuntu:jammy/a=1"), patches[0].ID)
	require.Equal(t, "Ubuntu:22.04", patches[0].Packages[0].Ecosystem)
	require.Equal(t, "20", patches[0].Native["phasedUpdatePercentage"])
	require.Empty(t, patches[0].Packages[0].Artefacts)
}

func FuzzPatches(f *testing.F) {
	f.Add(stanza("a", "1", "amd64", "b (2)"), stanza("a", "1", "amd64", "b (2)")+"x\n\n", "[01 Jan 2025] DSA-1-1 b\n\t{CVE-2025-1}\n\t[bookworm] - b 1\n")
	f.Add("Package: a\nVersion: 1\nArchitecture: all\n\n", "", "")
	f.Fuzz(func(t *testing.T, one, two, list string) {
		if len(one)+len(two)+len(list) > 4096 {
			t.Skip("longer than need be")
		}
		c := config(base(one), securityIndex(two))
		c.Advisories = text(list)
		source, err := debian.New(c)
		require.NoError(t, err)
		seen := make(map[patch.ID]bool)
		var last error
		for p, err := range source.Patches(t.Context(), patch.Query{}) {
			require.True(t, last == nil || errors.Is(last, patch.ErrRecord), "something follows the last error")
			if last = err; err != nil {
				require.ErrorContains(t, err, "debian: ")
				continue
			}
			require.False(t, seen[p.ID], "%s stands twice", p.ID)
			seen[p.ID] = true
			require.NotEmpty(t, p.Packages)
			require.NotContains(t, p.Supersedes, p.ID)
			for _, older := range p.Supersedes {
				require.True(t, seen[older], "what is superseded comes first")
			}
		}
	})
}

func TestFilesOfTheGoldenMachineOpenMoreThanOnce(t *testing.T) {
	c := bookwormConfig(bookworm.FS(), bookworm.IndexFile)
	require.Empty(t, cmp.Diff(listPatches(t, c, patch.Query{}), listPatches(t, c, patch.Query{})))
}
