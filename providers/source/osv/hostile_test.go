package osv_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/osv"
)

// weigh reads a source to its end and returns how much the heap held at most above what it held before, looked at after
// every 250 pairs, and how many bytes were allocated altogether.
func weigh(t testing.TB, s *osv.Source) (held, allocated uint64, patches int, errs []error) {
	t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range s.Patches(context.Background(), patch.Query{}) {
		if err != nil {
			errs = append(errs, err)
		} else {
			patches++
		}
		if n++; n%250 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc {
				held = max(held, now.HeapAlloc-before.HeapAlloc)
			}
		}
	}
	runtime.ReadMemStats(&now)
	return held, now.TotalAlloc - before.TotalAlloc, patches, errs
}

func TestAZipIsReadRecordByRecord(t *testing.T) {
	folder := need.Shared(t, "feeds", "osv-almalinux")
	s := newSource(t, osv.Config{Inputs: []osv.Input{{Name: "all.zip", Open: func() (io.ReadCloser, error) {
		return os.Open(filepath.Join(folder, "AlmaLinux-8.zip"))
	}}}})
	held, _, patches, errs := weigh(t, s)
	require.Empty(t, errs)
	require.Greater(t, patches, 2000)
	require.Less(t, held, uint64(8<<20), "bytes held, of 25 MB of JSON")
}

// zeros yields a number of zeros.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int(min(z.left, int64(len(p))))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

func TestGibibyteOfZeros(t *testing.T) {
	var packed, archive bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.Copy(w, &zeros{1 << 30})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	z := zip.NewWriter(&archive)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	f, err := z.Create("bomb.json")
	require.NoError(t, err)
	_, err = io.Copy(f, &zeros{1 << 30})
	require.NoError(t, err)
	f, err = z.Create("A.json")
	require.NoError(t, err)
	_, err = io.WriteString(f, `{"id": "A"}`)
	require.NoError(t, err)
	require.NoError(t, z.Close())

	s := newSource(t, osv.Config{Inputs: []osv.Input{{Name: "lines", Open: text(packed.String())}}})
	_, allocated, patches, errs := weigh(t, s)
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], source.ErrTooLarge)
	require.ErrorContains(t, errs[0], "osv: lines: ")
	require.Zero(t, patches)
	require.Less(t, allocated, uint64(512<<20)) // half of what the bomb holds, with the race detector too

	s = newSource(t, osv.Config{Inputs: []osv.Input{{Name: "zip", Open: text(archive.String())}}})
	_, allocated, patches, errs = weigh(t, s)
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], source.ErrTooLarge)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], `osv: zip: "bomb.json": `)
	require.Equal(t, 1, patches, "the other record")
	require.Less(t, allocated, uint64(512<<20)) // half of what the bomb holds, with the race detector too
}

func TestARecordWithOneHugeText(t *testing.T) {
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(
			strings.NewReader("{\"id\": \"A\"}\n{\"id\": \"B\", \"details\": \""),
			&letters{300 << 20},
			strings.NewReader("\"}\n{\"id\": \"C\"}\n"),
		)), nil
	}
	_, allocated, patches, errs := weigh(t, newSource(t, osv.Config{Inputs: []osv.Input{{Name: "feed", Open: open}}}))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], source.ErrTooLarge)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], "osv: feed: record 2, line 2: ")
	require.Equal(t, 2, patches)
	require.Less(t, allocated, uint64(512<<20)) // half of what the bomb holds, with the race detector too
}

// letters yields a number of letters.
type letters struct{ left int }

func (l *letters) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := min(l.left, len(p))
	for i := range p[:n] {
		p[i] = 'a'
	}
	l.left -= n
	return n, nil
}

func TestNesting(t *testing.T) {
	for _, nested := range []string{
		strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		strings.Repeat(`{"a":`, 40_000) + "1" + strings.Repeat("}", 40_000),
		strings.Repeat("[", 1_500_000) + strings.Repeat("]", 1_500_000),
	} {
		patches, errs := list(t, `{"id": "A", "database_specific": `+nested+"}\n{\"id\": \"B\"}\n")
		require.Len(t, errs, 1)
		require.Contains(t, errs[0], "osv: feed: record 1, line 1: unreadable record: ")
		require.Contains(t, errs[0], "depth")
		require.Len(t, patches, 1)
	}
}

func TestRecordsThatWouldGrowInMemory(t *testing.T) {
	many := strings.Repeat("{},", 500_000)
	texts := strings.Repeat(`"",`, 1_200_000)
	var versions []string
	for i := range 100_001 {
		versions = append(versions, strconv.Quote(strconv.Itoa(i)))
	}
	patches, errs := list(t, `{"id": "A", "affected": [`+many[:len(many)-1]+"]}\n"+
		`{"id": "B", "aliases": [`+texts[:len(texts)-1]+"]}\n"+
		strings.Replace(of("Debian:12", `"versions": [`+strings.Join(versions, ",")+`]`), "X-1", "C", 1)+"\n"+
		strings.Replace(of("Debian:12", `"versions": [`+strings.Join(versions[:100_000], ",")+`]`), "X-1", "D", 1)+"\n")
	require.Len(t, errs, 3)
	for i, want := range []string{"more than 50000 objects", "500000 texts", "C: affected[0]: more than 100000 packages"} {
		require.Contains(t, errs[i], want)
		require.Contains(t, errs[i], source.ErrTooLarge.Error())
	}
	require.Len(t, patches, 1)
	require.Len(t, patches[0].Packages, 100_000)
}

func TestBounds(t *testing.T) {
	three := "{\"id\": \"A\"}\n{\"id\": \"B\"}\n{\"id\": \"C\"}\n"
	entries := zipped(t, "A.json", `{"id": "A"}`, "B.json", `{"id": "B", "summary": "`+strings.Repeat("b", 100)+`"}`)
	for name, row := range map[string]struct {
		config  osv.Config
		content string
		want    string // in the error that ends the listing; "" if none does
		patches int
		refused int
	}{
		"all is within":                 {osv.Config{Record: 11, Limits: source.Limits{Records: 3, Bytes: int64(len(three))}}, three, "", 3, 0},
		"a record is too large":         {osv.Config{Record: 10}, three, "", 0, 3},
		"there are too many":            {osv.Config{Limits: source.Limits{Records: 2}}, three, "osv: feed: record 3, line 3: more than 2 records", 0, 0},
		"the file is too large":         {osv.Config{Limits: source.Limits{Bytes: 30}}, three, "content of more than 30 bytes", 0, 0},
		"a record of a zip is":          {osv.Config{Record: 50}, string(entries), "", 1, 1},
		"all in a zip together are":     {osv.Config{Limits: source.Limits{Bytes: 100}}, string(entries), "holds more than 100 bytes", 0, 0},
		"all in a zip are just within":  {osv.Config{Limits: source.Limits{Bytes: 137}}, string(entries), "", 2, 0},
		"a zip is too large to be held": {osv.Config{Buffer: 100}, string(entries), "a zip of more than 100 bytes that cannot be read where it lies", 0, 0},
		"a zip holds too many":          {osv.Config{Limits: source.Limits{Records: 1}}, string(entries), `osv: feed: "B.json": more than 1 records`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			row.config.Inputs = []osv.Input{{Name: "feed", Open: text(row.content)}}
			patches, refused, ended := 0, 0, ""
			for _, err := range newSource(t, row.config).Patches(t.Context(), patch.Query{}) {
				switch {
				case err == nil:
					patches++
				case errors.Is(err, patch.ErrRecord):
					require.ErrorIs(t, err, source.ErrTooLarge)
					refused++
				default:
					require.ErrorIs(t, err, source.ErrTooLarge)
					ended = err.Error()
				}
			}
			require.Equal(t, row.patches, patches)
			require.Equal(t, row.refused, refused)
			require.Contains(t, ended, row.want)
			require.Equal(t, row.want == "", ended == "")
		})
	}
}

func TestTheDirectoryOfAZipIsBounded(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 570 {
		_, err := w.CreateHeader(&zip.FileHeader{Name: strconv.Itoa(i), Extra: make([]byte, 60_000)})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	_, errs := list(t, b.String())
	require.Len(t, errs, 1)
	require.Contains(t, errs[0], "osv: feed: the directory of the zip has more than")
}

// osv-scalibr 0.5.3 takes a record whose range of commits stands before that of versions as one that affects nobody.
func TestARangeOfCommitsDoesNotHideTheOthers(t *testing.T) {
	git := `{"type": "GIT", "repo": "https://example.org/r", "events": [{"introduced": "0"}, {"fixed": "0123456789012345678901234567890123456789"}]}`
	versions := `{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}`
	for _, ranges := range []string{git + ", " + versions, versions + ", " + git} {
		p := one(t, of("Debian:12", `"ranges": [`+ranges+`]`))
		require.Equal(t, "Debian:12 <p [, 2) of deb", show(p.Packages))
	}
}

// It sorts the events of a record where they lie, while others read them.
func TestListingsAtOnceOfUnorderedEvents(t *testing.T) {
	s := newSource(t, osv.Config{Inputs: []osv.Input{{Open: text(of("Debian:12",
		`"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "4"}, {"introduced": "3"}, {"fixed": "2"}, {"introduced": "1"}]}]`))}}})
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() {
			for p, err := range s.Patches(context.Background(), patch.Query{}) {
				if err == nil {
					got[i] = show(p.Packages)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		require.Equal(t, "Debian:12 <p [1, 2) of deb; Debian:12 <p [3, 4) of deb", s)
	}
}

// It panics on a version that is none.
func TestAVersionThatIsNoneIsNoPanic(t *testing.T) {
	p := one(t, of("Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "one"}, {"fixed": "@"}]}], "versions": ["#", "1"]`))
	require.Equal(t, "Debian:12 <p [one, @) of deb; Debian:12 <p [1, 1] of deb", show(p.Packages))
	c, err := patch.NewCatalog([]patch.Patch{p})
	require.NoError(t, err)
	entries := c.BySource("Debian:12", "p")
	require.Len(t, entries, 2)
	require.ErrorIs(t, entries[1].Err, version.ErrSyntax, "unknown, not clean")
}

// The entries of a patch hold the versions that OSV's own algorithm calls affected; and no others, but for those of pairs of
// events that overlap.
func TestRangesMeanWhatTheSpecificationSays(t *testing.T) {
	type event struct {
		kind string
		at   int
	}
	random := rand.New(rand.NewPCG(1, 2))
	overlapping := 0
	for range 3000 {
		var events []event
		used := make(map[int]bool) // the specification leaves open what two events at one version mean
		for i := range 1 + random.IntN(6) {
			e := event{[]string{"introduced", "fixed", "last_affected", "limit"}[min(random.IntN(12)/3, 3)], random.IntN(9)}
			if i == 0 {
				e.kind = "introduced"
			}
			if used[e.at] || e.at == 0 && e.kind != "introduced" {
				continue
			}
			used[e.at] = true
			events = append(events, e)
		}
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var texts []string
		for _, e := range events {
			texts = append(texts, fmt.Sprintf(`{%q: "%d"}`, e.kind, e.at))
		}
		p := one(t, of("Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [`+strings.Join(texts, ", ")+`]}]`))

		paired := true
		for i, e := range events {
			paired = paired && (e.kind == "introduced") == (i%2 == 0) && e.kind != "limit" && (i%2 == 0 || events[i-1].at < e.at)
		}
		sorted := slices.Clone(events)
		slices.SortFunc(sorted, func(a, b event) int { return a.at - b.at })
		for v := range 10 {
			limited, within, affected := false, false, false
			for _, e := range sorted {
				switch e.kind {
				case "limit":
					limited = true
					within = within || v < e.at
				case "introduced":
					affected = affected || v >= e.at
				case "fixed":
					affected = affected && v < e.at
				case "last_affected":
					affected = affected && v <= e.at
				}
			}
			want := affected && (within || !limited)
			if paired && !want {
				for i := 0; i < len(events) && !want; i += 2 {
					want = v >= events[i].at && (i+1 == len(events) || v < events[i+1].at || v == events[i+1].at && events[i+1].kind == "last_affected")
				}
				if want {
					overlapping++
				}
			}
			require.Equal(t, want, holds(t, p.Packages, strconv.Itoa(v)), "%d of %s", v, texts)
		}
	}
	require.Greater(t, overlapping, 10, "pairs that overlap are rare, but there are some")
}

// holds says whether a version is in one of the packages.
func holds(t *testing.T, packages []patch.Package, text string) bool {
	t.Helper()
	compare := func(bound version.Version) int {
		n, err := version.Compare(version.Version{Scheme: version.Deb, Text: text}, bound)
		require.NoError(t, err)
		return n
	}
	return slices.ContainsFunc(packages, func(p patch.Package) bool {
		return (p.Introduced.IsZero() || compare(p.Introduced) >= 0) &&
			(p.Fixed.IsZero() || compare(p.Fixed) < 0) && (p.Last.IsZero() || compare(p.Last) <= 0)
	})
}

func FuzzPatches(f *testing.F) {
	f.Add([]byte(of("Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}, {"limit": "3"}]}], "versions": ["1", "x"]`)))
	f.Add([]byte(of("Ubuntu:22.04:LTS", `"ranges": [{"type": "SEMVER", "events": [{"last_affected": "2"}]}], "ecosystem_specific": {"binaries": [{"a": "1"}]}`)))
	f.Add([]byte("{\"id\": \"A\"\n{\"id\": \"B\", \"summary\": \"Important: a:b x\"}\n[\n"))
	f.Add(zipped(f, "A.json", `{"id": "A", "modified": "2025-01-01T00:00:00Z"}`, "A.json", `{"id": "A"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 4096 {
			t.Skip("longer than need be")
		}
		s := newSource(t, osv.Config{
			Inputs: []osv.Input{{Name: "feed", Open: text(string(content))}},
			Record: 2048, Limits: source.Limits{Bytes: 1 << 20, Records: 100},
		})
		seen := make(map[patch.ID]bool)
		ended := false
		for p, err := range s.Patches(context.Background(), patch.Query{}) {
			require.False(t, ended, "a pair after the last")
			if err != nil {
				require.ErrorContains(t, err, "osv: ")
				ended = !errors.Is(err, patch.ErrRecord)
				continue
			}
			require.False(t, seen[p.ID])
			seen[p.ID] = true
			require.True(t, strings.HasPrefix(string(p.ID), "osv:") && len(p.ID) > 4)
			for _, pkg := range p.Packages {
				require.NotEmpty(t, pkg.Ecosystem)
				require.NotEmpty(t, pkg.Name+pkg.Source)
				require.True(t, pkg.Fixed.IsZero() || pkg.Last.IsZero(), "Fixed and Last")
			}
		}
	})
}
