package feeds_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/feeds"
	"github.com/patchflow/patchflow/providers/source/kev"
)

// A desk is a feed that says what the test tells it to say.
type desk struct {
	name    string
	patches []patch.Patch
	refused []error
	fails   error // of Open
	breaks  error // of the listing, in its middle
	reading feeds.Reading
	asked   int
}

func (d *desk) Patches(_ context.Context, _ patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		for i, p := range d.patches {
			if d.breaks != nil && i == len(d.patches)/2 {
				yield(patch.Patch{}, d.breaks)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
		for _, err := range d.refused {
			if !yield(patch.Patch{}, source.Bad(d.name+": record 7", err)) {
				return
			}
		}
	}
}

func (d *desk) feed() feeds.Feed {
	return feeds.Feed{Name: d.name, Open: func(context.Context) (feeds.Reading, error) {
		d.asked++
		r := d.reading
		if r.Enricher == nil {
			r.Source = d
		}
		return r, d.fails
	}}
}

func newDesk(name string, ids ...string) *desk {
	d := &desk{name: name}
	d.set(ids...)
	return d
}

// set makes d say one patch for each ID, about a CVE of the same name.
func (d *desk) set(ids ...string) {
	d.patches = nil
	for _, id := range ids {
		d.patches = append(d.patches, patch.Patch{
			ID: patch.ID(d.name + ":" + id), Advisories: []patch.Advisory{{ID: id, CVEs: []string{id}}},
			Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "pkg-" + id}},
		})
	}
}

// exploited is an enricher of the CVEs that CISA lists.
func exploited(t *testing.T, cves ...string) patch.Enricher {
	t.Helper()
	text := "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,knownRansomwareCampaignUse,notes,cwes\n"
	for _, cve := range cves {
		text += cve + ",v,p,n,2026-01-02,d,a,2026-01-23,Unknown,,\n"
	}
	c, refused, err := kev.Read(t.Context(), kev.Config{Name: "kev.csv", Open: source.File(fstest.MapFS{"kev.csv": {Data: []byte(text)}}, "kev.csv")})
	require.NoError(t, err)
	require.Empty(t, refused)
	return c
}

func ids(c *patch.Catalog) (all []string) {
	for p := range c.All() {
		all = append(all, string(p.ID))
	}
	return all
}

// A clock stands until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

var errDown = errors.New("the server is down")

func keeper(t *testing.T, c *clock, folder string, all ...*desk) *feeds.Keeper {
	t.Helper()
	config := feeds.Config{Folder: folder, Now: c.Now}
	for _, d := range all {
		config.Feeds = append(config.Feeds, d.feed())
	}
	k, err := feeds.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

func begin() *clock { return &clock{time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)} }

func refresh(t *testing.T, k *feeds.Keeper, accept ...string) *feeds.View {
	t.Helper()
	v, err := k.Refresh(t.Context(), accept...)
	require.NoError(t, err)
	return v
}

func TestBeforeTheFirstReadingNothingIsCurrent(t *testing.T) {
	k := keeper(t, begin(), "", newDesk("a", "CVE-2026-0001"), newDesk("b", "CVE-2026-0002"))
	v := k.View()
	require.Zero(t, v.Catalog.Len())
	require.ErrorIs(t, v.Stale(), feeds.ErrNeverRead)
	require.ErrorContains(t, v.Stale(), "feeds: b: has not been read yet")
	require.Zero(t, v.Feeds[0].Read)
}

// Each row is one way to fail; what was in force stays so, and says since when and why.
func TestAFeedThatFailsLeavesTheLastGoodOneInForce(t *testing.T) {
	many := []string{"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004"}
	for _, row := range []struct {
		name string
		fail func(*desk)
		why  error
		text string
	}{
		{"it cannot be brought", func(d *desk) { d.fails = errDown }, errDown, "the server is down"},
		{"it breaks in the middle", func(d *desk) { d.breaks = errDown }, errDown, "the server is down"},
		{"it is empty", func(d *desk) { d.patches = nil }, feeds.ErrLoss, "4 of 4 patches: lacks too much of what it held"},
		{"it has lost most", func(d *desk) { d.set("CVE-2026-0004") }, feeds.ErrLoss, "3 of 4 patches: lacks too much of what it held"},
		{"an ID stands twice", func(d *desk) { d.patches = append(d.patches, d.patches[0]) }, nil, "a:CVE-2026-0001 occurs 2 times"},
		{"it is neither of both", func(d *desk) { d.reading.Enricher = (*none)(nil); d.reading.Source = d }, nil, "neither a source nor an enricher, or both"},
	} {
		t.Run(row.name, func(t *testing.T) {
			now := begin()
			a, b := newDesk("a", many...), newDesk("b", "CVE-2026-0009")
			k := keeper(t, now, "", a, b)
			good := refresh(t, k)
			require.NoError(t, good.Stale())
			read := now.now

			now.now = now.now.Add(time.Hour)
			row.fail(a)
			b.set("CVE-2026-0009", "CVE-2026-0010")
			v := refresh(t, k)
			require.Equal(t, []string{"a:CVE-2026-0001", "a:CVE-2026-0002", "a:CVE-2026-0003", "a:CVE-2026-0004", "b:CVE-2026-0009", "b:CVE-2026-0010"}, ids(v.Catalog))
			require.ErrorContains(t, v.Stale(), "feeds: a: ")
			require.ErrorContains(t, v.Stale(), row.text)
			if row.why != nil {
				require.ErrorIs(t, v.Feeds[0].Stale, row.why)
			}
			require.Equal(t, read, v.Feeds[0].Read)
			require.Equal(t, 4, v.Feeds[0].Patches)
			require.NoError(t, v.Feeds[1].Stale)
			require.Equal(t, now.now, v.Feeds[1].Read)
			require.Equal(t, []string{"a:CVE-2026-0001", "a:CVE-2026-0002", "a:CVE-2026-0003", "a:CVE-2026-0004", "b:CVE-2026-0009"}, ids(good.Catalog), "what was handed out stays")

			*a = *newDesk("a", many...)
			require.NoError(t, refresh(t, k).Stale(), "it has come back")
		})
	}
}

type none struct{}

func (*none) Enrich(context.Context, *patch.Catalog) ([]patch.Patch, error) { return nil, nil }

func TestALossIsAcceptedByName(t *testing.T) {
	a, b := newDesk("a", "CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"), newDesk("b", "CVE-2026-0009")
	k := keeper(t, begin(), "", a, b)
	refresh(t, k)
	a.set("CVE-2026-0003")
	b.set()
	v := refresh(t, k, "a")
	require.Equal(t, []string{"a:CVE-2026-0003", "b:CVE-2026-0009"}, ids(v.Catalog))
	require.NoError(t, v.Feeds[0].Stale)
	require.ErrorIs(t, v.Feeds[1].Stale, feeds.ErrLoss)
	_, err := k.Refresh(t.Context(), "c")
	require.ErrorContains(t, err, `"c" is no feed`)
}

func TestMaxLoss(t *testing.T) {
	for _, row := range []struct {
		most float64
		left []string
		ok   bool
	}{
		{0, []string{"CVE-2026-0001", "CVE-2026-0002"}, true}, {0, []string{"CVE-2026-0001"}, false},
		{0.25, []string{"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"}, true}, {0.25, []string{"CVE-2026-0001", "CVE-2026-0002"}, false},
		{1, nil, true},
	} {
		d := newDesk("a", "CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004")
		k, err := feeds.New(feeds.Config{Feeds: []feeds.Feed{d.feed()}, MaxLoss: row.most})
		require.NoError(t, err)
		refresh(t, k)
		d.set(row.left...)
		require.Equal(t, row.ok, refresh(t, k).Stale() == nil, "%v", row)
	}
}

func TestWhatIsOldIsNotCurrent(t *testing.T) {
	for _, row := range []struct {
		most, age time.Duration
		current   bool
	}{
		{0, 48 * time.Hour, true}, {0, 49 * time.Hour, false}, {time.Hour, 2 * time.Hour, false}, {-1, 10000 * time.Hour, true},
	} {
		now := begin()
		k, err := feeds.New(feeds.Config{Feeds: []feeds.Feed{newDesk("a", "CVE-2026-0001").feed()}, MaxAge: row.most, Now: now.Now})
		require.NoError(t, err)
		require.NoError(t, refresh(t, k).Stale())
		now.now = now.now.Add(row.age)
		v := k.View()
		require.Equal(t, row.current, v.Stale() == nil)
		require.Equal(t, 1, v.Catalog.Len())
		if !row.current {
			require.ErrorIs(t, v.Stale(), feeds.ErrTooOld)
		}
	}
}

// A feed that could only be read from its last good copy says so, and how old that is.
func TestAStaleCopyIsStale(t *testing.T) {
	now := begin()
	a := newDesk("a", "CVE-2026-0001")
	k := keeper(t, now, "", a)
	at := now.now.Add(-time.Hour)
	a.reading = feeds.Reading{At: at, Stale: errDown}
	v := refresh(t, k)
	require.ErrorIs(t, v.Feeds[0].Stale, errDown)
	require.Equal(t, at, v.Feeds[0].Read)
	require.Equal(t, 1, v.Catalog.Len())

	now.now = now.now.Add(time.Hour)
	a.reading = feeds.Reading{Stale: errDown}
	require.Equal(t, at, refresh(t, k).Feeds[0].Read, "nobody says that it has become younger")
	a.reading = feeds.Reading{}
	v = refresh(t, k)
	require.NoError(t, v.Stale())
	require.Equal(t, now.now, v.Feeds[0].Read)
}

func TestRefusedRecordsAreTold(t *testing.T) {
	now, folder := begin(), t.TempDir()
	a := newDesk("a", "CVE-2026-0001")
	a.refused = []error{errors.New("no ID")}
	k := keeper(t, now, folder, a)
	v := refresh(t, k)
	require.NoError(t, v.Stale())
	require.Len(t, v.Feeds[0].Refused, 1)
	require.NoError(t, k.Close())

	again := keeper(t, now, folder, a).View()
	require.Len(t, again.Feeds[0].Refused, 1)
	require.ErrorIs(t, again.Feeds[0].Refused[0], patch.ErrRecord)
	require.ErrorContains(t, again.Feeds[0].Refused[0], "a: record 7: unreadable record: no ID")
}

// Two feeds about one advisory make one patch, and what is known of its CVE is added.
func TestFeedsAreMergedAndEnriched(t *testing.T) {
	a, b, c := newDesk("a", "DSA-1"), newDesk("b", "DSA-1"), newDesk("kev")
	a.patches[0].Advisories[0].CVEs = []string{"CVE-2026-0001"}
	b.patches[0].Advisories[0].CVEs = []string{"CVE-2026-0001"}
	c.reading.Enricher = exploited(t, "CVE-2026-0001")
	c.reading.Refused = []error{errDown}
	v := refresh(t, keeper(t, begin(), "", a, b, c))
	require.Equal(t, []string{"a:DSA-1"}, ids(v.Catalog))
	p, _ := v.Catalog.Get("b:DSA-1")
	require.Equal(t, patch.Yes, p.Exploited())
	require.Equal(t, []error{errDown}, v.Feeds[2].Refused)
	require.Zero(t, v.Feeds[2].Patches)
}

func TestANewProcessBeginsWithWhatWasRead(t *testing.T) {
	now, folder := begin(), t.TempDir()
	a, b, c := newDesk("a", "CVE-2026-0001"), newDesk("b", "CVE-2026-0002"), newDesk("kev")
	c.reading.Enricher = exploited(t, "CVE-2026-0002")
	first := keeper(t, now, folder, a, b, c)
	want := refresh(t, first)
	require.NoError(t, first.Close())

	now.now = now.now.Add(time.Hour)
	asked := a.asked
	second := keeper(t, now, folder, a, b, c)
	v := second.View()
	require.Equal(t, asked, a.asked, "nobody was asked")
	changes := patch.Diff(want.Catalog, v.Catalog)
	require.True(t, changes.Empty(), "%v", changes)
	require.Equal(t, want.Feeds, v.Feeds)

	// What CISA said stays, although its feed fails in this process from the beginning, and another feed changes.
	c.fails = errDown
	b.set("CVE-2026-0002", "CVE-2026-0003")
	v = refresh(t, second)
	p, _ := v.Catalog.Get("b:CVE-2026-0002")
	require.Equal(t, patch.Yes, p.Exploited())
	require.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), p.Advisories[0].KnownSince)
	require.NotEmpty(t, p.Native[kev.NativeDue])
	require.NotEmpty(t, p.Provenance)
	require.ErrorIs(t, v.Feeds[2].Stale, errDown)
	require.Equal(t, want.Feeds[2].Read, v.Feeds[2].Read)
	require.Equal(t, []string{"a:CVE-2026-0001", "b:CVE-2026-0002", "b:CVE-2026-0003"}, ids(v.Catalog))
	require.NoError(t, second.Close())

	third := keeper(t, now, folder, a, b, c)
	changes = patch.Diff(v.Catalog, third.View().Catalog)
	require.True(t, changes.Empty(), "%v", changes)
	require.ErrorContains(t, third.View().Feeds[2].Stale, "the server is down")
}

// What is not in the configuration any more is not in force any more, and the folder does not grow.
func TestFeedsComeAndGo(t *testing.T) {
	now, folder := begin(), t.TempDir()
	a, b := newDesk("a", "CVE-2026-0001"), newDesk("b", "CVE-2026-0002")
	k := keeper(t, now, folder, a, b)
	refresh(t, k)
	require.NoError(t, k.Close())
	k = keeper(t, now, folder, b)
	require.Equal(t, []string{"b:CVE-2026-0002"}, ids(k.View().Catalog))
	for i := range 5 {
		b.set("CVE-2026-0002", fmt.Sprintf("CVE-2026-100%d", i), "CVE-2026-0003")
		refresh(t, k)
	}
	require.Len(t, files(t, folder), 3, "the record, and two catalogs")
	require.NoError(t, k.Close())
	require.Equal(t, []string{"b:CVE-2026-0002", "b:CVE-2026-0003", "b:CVE-2026-1004"}, ids(keeper(t, now, folder, b).View().Catalog))
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestADamagedFolderIsAsIfNeverRead(t *testing.T) {
	a, c := newDesk("a", "CVE-2026-0001"), newDesk("kev")
	c.reading.Enricher = exploited(t, "CVE-2026-0001")
	for name, damage := range map[string]func(name string, data []byte) []byte{
		"the record is cut": func(name string, data []byte) []byte {
			if name == "feeds.json" {
				return data[:len(data)/2]
			}
			return data
		},
		"the record is of a newer version": func(name string, data []byte) []byte {
			return []byte(strings.Replace(string(data), `"version":1`, `"version":2`, 1))
		},
		"the catalogs are damaged": func(name string, data []byte) []byte {
			if name != "feeds.json" {
				data[len(data)/2] ^= 1
			}
			return data
		},
		"the catalogs are gone": func(name string, data []byte) []byte {
			if name != "feeds.json" {
				return nil
			}
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			now, folder := begin(), t.TempDir()
			k := keeper(t, now, folder, a, c)
			refresh(t, k)
			require.NoError(t, k.Close())
			for _, name := range files(t, folder) {
				file := filepath.Join(folder, name)
				data, err := os.ReadFile(file)
				require.NoError(t, err)
				if data = damage(name, data); data == nil {
					require.NoError(t, os.Remove(file))
					continue
				}
				require.NoError(t, os.WriteFile(file, data, 0o600))
			}
			k = keeper(t, now, folder, a, c)
			v := k.View()
			require.Zero(t, v.Catalog.Len())
			for _, s := range v.Feeds {
				require.ErrorIs(t, s.Stale, feeds.ErrNeverRead)
				require.ErrorContains(t, s.Stale, "what is saved cannot be read")
				require.Zero(t, s.Read)
			}
			v = refresh(t, k)
			require.NoError(t, v.Stale())
			require.NoError(t, k.Close())
			require.Equal(t, v.Feeds, keeper(t, now, folder, a, c).View().Feeds)
		})
	}
}

// A disk that takes nothing does not keep what was read from coming into force, and is told.
func TestWhatCannotBeSavedIsInForce(t *testing.T) {
	a := newDesk("a", "CVE-2026-0001")
	k := keeper(t, begin(), t.TempDir(), a)
	require.NoError(t, k.Close())
	v, err := k.Refresh(t.Context())
	require.ErrorContains(t, err, "feeds: save: ")
	require.ErrorIs(t, err, os.ErrClosed)
	require.Equal(t, 1, v.Catalog.Len())
	require.Equal(t, 1, k.View().Catalog.Len())
}

func TestACancelledRefreshChangesNothing(t *testing.T) {
	a, b := newDesk("a", "CVE-2026-0001"), newDesk("b", "CVE-2026-0002")
	stop := func() {}
	last := feeds.Feed{Name: "last", Open: func(context.Context) (feeds.Reading, error) {
		stop()
		return feeds.Reading{Enricher: exploited(t, "CVE-2026-0001")}, nil
	}}
	k, err := feeds.New(feeds.Config{Feeds: []feeds.Feed{a.feed(), b.feed(), last}})
	require.NoError(t, err)
	was := refresh(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	stop = cancel
	a.set("CVE-2026-0001", "CVE-2026-0005")
	_, err = k.Refresh(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, was, k.View())
	b.fails = errDown // and nothing of a's was kept in hand
	a.fails = errDown
	require.Equal(t, ids(was.Catalog), ids(refresh(t, k).Catalog))
}

func TestCallsAtOnceTakeTurns(t *testing.T) {
	a := newDesk("a", "CVE-2026-0001")
	k := keeper(t, begin(), t.TempDir(), a)
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			_, err := k.Refresh(t.Context())
			k.View()
			return err
		})
	}
	require.NoError(t, all.Wait())
	require.Equal(t, 8, a.asked)
	require.NoError(t, k.View().Stale())
}

func TestEqualReadingsKeepTheCatalog(t *testing.T) {
	now := begin()
	a := newDesk("a", "CVE-2026-0001")
	k := keeper(t, now, "", a)
	was := refresh(t, k)
	now.now = now.now.Add(time.Hour)
	v := refresh(t, k)
	require.Same(t, was.Catalog, v.Catalog)
	require.Equal(t, now.now, v.Feeds[0].Read)
}

func TestConfig(t *testing.T) {
	open := newDesk("a").feed().Open
	for text, config := range map[string]feeds.Config{
		"no Feeds":                      {},
		"MaxLoss is -1":                 {Feeds: []feeds.Feed{{Name: "a", Open: open}}, MaxLoss: -1},
		"Feeds[0] has no Name":          {Feeds: []feeds.Feed{{Open: open}}},
		"Feeds[0] (a) has no Open":      {Feeds: []feeds.Feed{{Name: "a"}}},
		"Feeds[1]: a is the name of an": {Feeds: []feeds.Feed{{Name: "a", Open: open}, {Name: "a", Open: open}}},
	} {
		_, err := feeds.New(config)
		require.ErrorContains(t, err, text)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := feeds.New(feeds.Config{Feeds: []feeds.Feed{{Name: "a", Open: open}}, Folder: file})
	require.ErrorContains(t, err, "feeds: ")
	var wrong *fs.PathError
	require.ErrorAs(t, err, &wrong)
	require.True(t, slices.Contains([]string{file}, wrong.Path))
}
