package patch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func saved(t testing.TB, c *patch.Catalog) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := c.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), n)
	return b.Bytes()
}

func loaded(t testing.TB, file []byte) *patch.Catalog {
	t.Helper()
	c, err := patch.ReadCatalog(bytes.NewReader(file), patch.Limits{})
	require.NoError(t, err)
	return c
}

// requireSame compares all that two catalogs hold, indices among it.
func requireSame(t testing.TB, want, got *patch.Catalog, what string) {
	t.Helper()
	require.Equal(t, want.Len(), got.Len(), what)
	require.Empty(t, cmp.Diff(slices.Collect(want.All()), slices.Collect(got.All())), what)
	require.True(t, reflect.DeepEqual(want, got), "%s: an index differs", what)
}

// Every field of a patch survives, alone and with all others: a field that is new fails here until it is saved.
func TestEveryFieldIsSaved(t *testing.T) {
	full := patch.Patch{ID: "d:1"}
	for path, change := range everyField(t) {
		one := change(patch.Patch{ID: "d:1"})
		full = change(full)
		c := catalog(t, one)
		requireSame(t, c, loaded(t, saved(t, c)), path)
	}
	c := catalog(t, full)
	requireSame(t, c, loaded(t, saved(t, c)), "all fields")
}

func TestSavedValues(t *testing.T) {
	packages := []patch.Package{debian("a", "1"), debian("a", "1"), debian("b", "1"), {Origins: []string{"o", "o"}}, {}, debian("b", "2")}
	for _, p := range []patch.Patch{
		{},
		{Size: math.MaxInt64},
		{Size: math.MinInt64},
		{Title: "\x00\xff\xfe", Aliases: []patch.ID{"e:1"}},
		{Released: time.Unix(0, 0).UTC(), Modified: time.Unix(-1, 999_999_999).UTC(), Withdrawn: time.Date(9999, 12, 31, 23, 59, 59, 1, time.UTC)},
		{Released: time.Time{}.Add(1), Modified: time.Time{}.Add(time.Second), Withdrawn: time.Time{}.Add(-1)},
		{Packages: packages, Unaffected: packages},
		{Native: map[string]string{"": "", "b": "a", "a": "b"}},
		{Advisories: []patch.Advisory{{EPSS: math.SmallestNonzeroFloat64}, {EPSS: 1.0 / 3}, {EPSS: math.Inf(1)}, {EPSS: -0.5}, {EPSS: math.Copysign(0, -1)},
			{EPSS: 0.00043}, {EPSS: 9.8}, {EPSS: 1e300}, {EPSS: 1 << 40 / 1e5}}},
	} {
		p.ID = "d:1"
		c := catalog(t, p)
		got := loaded(t, saved(t, c))
		requireSame(t, c, got, "")
		for i := range p.Advisories {
			x, _ := got.Get("d:1")
			require.Equal(t, math.Float64bits(p.Advisories[i].EPSS), math.Float64bits(x.Advisories[i].EPSS))
		}
	}
}

// The bounds on how many elements a file can hold are no greater than what the smallest elements take.
func TestTheSmallestElementsAreLoaded(t *testing.T) {
	const n = 500
	for what, p := range map[string]patch.Patch{
		"advisories": {Advisories: make([]patch.Advisory, n)},
		"packages":   {Packages: make([]patch.Package, n)},
		"scores":     {Advisories: []patch.Advisory{{Scores: make([]patch.Score, n)}}},
		"artefacts":  {Packages: []patch.Package{{Artefacts: make([]patch.Artefact, n)}}},
		"provenance": {Provenance: make([]patch.Provenance, n)},
		"texts":      {References: make([]string, n)},
	} {
		p.ID = "d:1"
		c := catalog(t, p)
		requireSame(t, c, loaded(t, saved(t, c)), what)
	}
	var patches []patch.Patch
	for i := range n {
		patches = append(patches, patch.Patch{ID: patch.ID(fmt.Sprint(i))})
	}
	c := catalog(t, patches...)
	requireSame(t, c, loaded(t, saved(t, c)), "patches")
}

func TestAnEmptyCatalogIsSaved(t *testing.T) {
	for _, c := range []*patch.Catalog{{}, catalog(t)} {
		require.Zero(t, loaded(t, saved(t, c)).Len())
	}
}

func TestTimesAreLoadedInUTC(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("x", 3600))
	p, _ := loaded(t, saved(t, catalog(t, patch.Patch{ID: "d:1", Released: at}))).Get("d:1")
	require.Equal(t, at.UTC(), p.Released)
	require.Equal(t, time.UTC, p.Released.Location())
}

func TestEqualCatalogsGiveEqualFiles(t *testing.T) {
	patches := realistic(300)
	one := catalog(t, patches...)
	slices.Reverse(patches)
	file := saved(t, one)
	require.Equal(t, file, saved(t, catalog(t, patches...)))
	require.Equal(t, file, saved(t, loaded(t, file)))
	requireSame(t, one, loaded(t, file), "")
	for name, r := range map[string]io.Reader{"byte by byte": iotest.OneByteReader(bytes.NewReader(file)), "with the error": iotest.DataErrReader(bytes.NewReader(file))} {
		c, err := patch.ReadCatalog(r, patch.Limits{})
		require.NoError(t, err, name)
		requireSame(t, one, c, name)
	}
}

// A loaded catalog answers as the one that was saved, and goes on as it does.
func TestALoadedCatalogAnswersTheSame(t *testing.T) {
	c := catalog(t, realistic(200)...)
	l := loaded(t, saved(t, c))
	for p := range c.All() {
		require.Equal(t, c.Newest(p.ID), l.Newest(p.ID))
		for _, x := range p.Packages {
			require.Equal(t, len(c.ByPackage(x.Ecosystem, x.Name)), len(l.ByPackage(x.Ecosystem, x.Name)))
		}
		for _, cve := range p.CVEs() {
			require.Equal(t, ids(c.Fixing(cve)), ids(l.Fixing(cve)))
		}
	}
	changed := []patch.Patch{{ID: "new:1"}, {ID: "osv:DSA-0003-1", Title: "changed"}}
	a, err := c.With(changed)
	require.NoError(t, err)
	b, err := l.With(changed)
	require.NoError(t, err)
	d := patch.Diff(a, b)
	require.True(t, d.Empty())
}

func TestEveryTruncationAndEveryWrongByteIsNoticed(t *testing.T) {
	file := saved(t, catalog(t, realistic(3)...))
	for n := range len(file) {
		_, err := patch.ReadCatalog(bytes.NewReader(file[:n]), patch.Limits{})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d bytes", n, len(file))
		require.ErrorContains(t, err, "patch: saved catalog: ends at byte")
		wrong := bytes.Clone(file)
		wrong[n] ^= 1 << (n % 8)
		_, err = patch.ReadCatalog(bytes.NewReader(wrong), patch.Limits{})
		require.Error(t, err, "byte %d", n)
	}
}

// sealed gives a file the checksum that its content has.
func sealed(file []byte) []byte {
	file = bytes.Clone(file[:max(len(file)-4, 0)])
	return binary.LittleEndian.AppendUint32(file, crc32.Checksum(file, crc32.MakeTable(crc32.Castagnoli)))
}

// parts makes a file of a table of texts, patches and texts.
func parts(table, patches, texts string) []byte {
	file := []byte("patchflow catalog\n\x01")
	for _, s := range []string{table, patches, texts} {
		file = binary.LittleEndian.AppendUint64(file, uint64(len(s)))
	}
	return sealed(append(file, table+patches+texts+"sum!"...))
}

func TestReadCatalogRefuses(t *testing.T) {
	file := saved(t, catalog(t, realistic(5)...))
	with := func(at int, b byte) []byte { f := bytes.Clone(file); f[at] = b; return f }
	huge := with(25, 0x7f) // the last byte but one of the first length
	zeros := string(make([]byte, 25))
	tests := []struct {
		name   string
		file   []byte
		limits patch.Limits
		want   string
	}{
		{"something else", []byte("PK\x03\x04 and so on, for as long as this"), patch.Limits{}, `is none: it begins with "PK\x03\x04 and so on, fo"`},
		{"something else that is short", []byte("{}"), patch.Limits{}, `is none: it begins with "{}"`},
		{"a newer format", with(18, 2), patch.Limits{}, "has version 2 of the format, and this package reads version 1"},
		{"another byte", with(len(file)/2, file[len(file)/2]^1), patch.Limits{}, "is damaged: its checksum is wrong"},
		{"more than there is", append(bytes.Clone(file), 0), patch.Limits{}, "goes on after its end"},
		{"a length beyond the limit", huge, patch.Limits{}, "is longer than the 268435456 bytes that are allowed"},
		{"a length within the limit that is not there", with(22, 0x0f), patch.Limits{}, "in the middle: unexpected EOF"},
		{"lengths that overflow", slices.Replace(bytes.Clone(file), 19, 43, bytes.Repeat([]byte{0xff}, 24)...), patch.Limits{}, "is longer than"},
		{"more bytes than wanted", file, patch.Limits{Bytes: 100}, "is longer than the 100 bytes that are allowed"},
		{"more patches than wanted", file, patch.Limits{Patches: 4}, "patches: 5, and 4 are allowed"},
		{"more packages than wanted", file, patch.Limits{Packages: 9}, "and 9 are allowed"},
		{"more texts than bytes", parts("\xff\x7f", "\x00", ""), patch.Limits{}, "table of texts: byte 2: 16383 elements in 0 bytes"},
		{"a text that is longer than all", parts("\x01\x05", "\x00", "abc"), patch.Limits{}, "text 1 has 5 bytes of 3"},
		{"texts left over", parts("\x01\x02", "\x00", "abc"), patch.Limits{}, "1 bytes of texts are left over"},
		{"more patches than bytes", parts("\x00", "\xff\x7f", ""), patch.Limits{}, "16383 elements in 0 bytes"},
		{"a number without an end", parts("\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""), patch.Limits{}, "a number of more than 64 bits"},
		{"a patch without an ID", parts("\x00", "\x01"+zeros, ""), patch.Limits{}, `patch 0 ("") has no ID`},
		{"a text that is not in the table", parts("\x00", "\x01\x02"+zeros[1:], ""), patch.Limits{}, "text 2 of 0"},
		{"an unknown value", parts("\x01\x01", "\x01\x01\x00\x00\x00\x00\x00\x0a"+zeros[7:], "a"), patch.Limits{}, "10 is beyond 9, the last value of a patch.Classification"},
		{"two patches with one ID", parts("\x01\x01", "\x02\x01"+zeros[1:]+"\x01"+zeros[1:], "a"), patch.Limits{}, "patches: 2 of 2 (a) comes after a"},
		{"bytes left over", parts("\x01\x01", "\x01\x01"+zeros[1:]+"\x00", "a"), patch.Limits{}, "patches: 1 bytes are left over"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := patch.ReadCatalog(bytes.NewReader(test.file), test.limits)
			require.Nil(t, c)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "patch: saved catalog: ")
		})
	}
	_, err := patch.ReadCatalog(bytes.NewReader(with(18, 2)), patch.Limits{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	broken := errors.New("broken")
	_, err = patch.ReadCatalog(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(broken)), patch.Limits{})
	require.ErrorIs(t, err, broken)
}

// A length that a file only claims to have takes no memory that its bytes do not stand for.
func TestAClaimedLengthTakesLittleMemory(t *testing.T) {
	file := append([]byte("patchflow catalog\n\x01"), make([]byte, 24)...)
	binary.LittleEndian.PutUint64(file[19:], 200<<20)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, err := patch.ReadCatalog(bytes.NewReader(file), patch.Limits{})
			require.ErrorIs(b, err, io.ErrUnexpectedEOF)
		}
	})
	require.Less(t, result.AllocedBytesPerOp(), int64(50<<20)) // of 200 that are claimed; the race detector takes more for the same
}

// full is a writer that takes n bytes and then fails.
type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.n)
	f.n -= n
	if n < len(p) {
		return n, patch.ErrDiskFull
	}
	return n, nil
}

func TestWriteToReportsWhatItWrote(t *testing.T) {
	c := catalog(t, realistic(5)...)
	length := len(saved(t, c))
	for _, room := range []int{0, 10, length - 2} {
		n, err := c.WriteTo(&full{room})
		require.ErrorIs(t, err, patch.ErrDiskFull)
		require.Equal(t, int64(room), n)
	}
}

func FuzzReadCatalog(f *testing.F) {
	for _, patches := range [][]patch.Patch{nil, realistic(1), realistic(4)} {
		f.Add(saved(f, catalog(f, patches...)))
	}
	f.Add(parts("\x01\x01", "\x01\x01"+string(make([]byte, 24)), "a"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := patch.ReadCatalog(bytes.NewReader(sealed(file)), patch.Limits{Packages: 10_000})
		if err != nil {
			return
		}
		again := loaded(t, saved(t, c))
		require.Equal(t, saved(t, c), saved(t, again))
		for p := range c.All() {
			q, found := again.Get(p.ID)
			require.True(t, found)
			require.Equal(t, fmt.Sprint(*p), fmt.Sprint(*q))
		}
	})
}

// realistic makes n patches as the records of a distribution give them.
func realistic(n int) []patch.Patch {
	patches := make([]patch.Patch, n)
	for i := range patches {
		at := time.Date(2020, 1, 1, i%24, i%60, 0, 1000*(i%7), time.UTC).AddDate(0, 0, i%2000)
		name := fmt.Sprint("DSA-", fmt.Sprintf("%04d", i), "-1")
		p := patch.Patch{ID: patch.ID("osv:" + name), Title: fmt.Sprint("package-", i%4000, ": security update"), Platform: patch.Platform{OS: "debian", Version: "12"},
			Classification: patch.ClassSecurity, Severity: patch.Severity(i % 5), ClassificationRaw: []string{"DSA"}, Reversal: patch.ReversalReinstall,
			Released: at, Modified: at.Add(time.Hour), Native: map[string]string{"databaseSpecific": fmt.Sprintf(`{"n":%d}`, i)}}
		a := patch.Advisory{ID: name, Title: p.Title, Severity: p.Severity, Published: at, References: []string{"https://example.org/" + name, "https://example.org/all"},
			Scores: []patch.Score{{Version: "3.1", Vector: fmt.Sprint("CVSS:3.1/", i%40), Base: float64(i%100) / 10, By: "osv"}}}
		for j := range i%5 + 1 {
			a.CVEs = append(a.CVEs, fmt.Sprint("CVE-", 2020+i%6, "-", 1000+i*2/3+j))
		}
		p.Advisories = []patch.Advisory{a}
		for j := range 10 {
			x := patch.Package{Ecosystem: fmt.Sprint("Debian:", 11+j%2), Name: fmt.Sprint("package-", i%4000, "-", j/2),
				Fixed: version.Version{Scheme: version.Deb, Text: fmt.Sprintf("1.%d.%d-%d", i/4000, i%9, j%2)}}
			if j == 9 {
				x.Name, x.Source, x.Introduced = "", fmt.Sprint("package-", i%4000), version.Version{Scheme: version.Deb, Text: "1.0-1"}
			}
			p.Packages = append(p.Packages, x)
		}
		if i%50 == 7 {
			p.Withdrawn = at.Add(2 * time.Hour)
		}
		if i >= 4000 {
			p.Supersedes = []patch.ID{patches[i-4000].ID}
		}
		patches[i] = p
	}
	return patches
}

func BenchmarkWriteTo(b *testing.B) {
	c := catalog(b, realistic(33_680)...)
	b.ReportAllocs()
	for b.Loop() {
		n, err := c.WriteTo(io.Discard)
		require.NoError(b, err)
		b.ReportMetric(float64(n)/1e6, "MB")
	}
}

func BenchmarkReadCatalog(b *testing.B) {
	file := saved(b, catalog(b, realistic(33_680)...))
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := patch.ReadCatalog(bytes.NewReader(file), patch.Limits{})
		require.NoError(b, err)
	}
}
