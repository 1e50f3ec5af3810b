package rollouttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// journalEnv names the journal that TestJournalOfChild tests, in a process of its own: its failure is what is wanted.
const journalEnv = "PATCHFLOW_TEST_JOURNAL"

func TestJournal(t *testing.T) {
	rollouttest.Journal(t, journalHarness(""))
}

func TestJournalOfChild(t *testing.T) {
	name, ok := os.LookupEnv(journalEnv)
	if !ok {
		t.Skip("runs as a child of TestJournalNoticesBadJournals")
	}
	rollouttest.Journal(t, journalHarness(name))
}

func TestJournalNoticesBadJournals(t *testing.T) {
	broken := map[string]bool{}
	for name, bad := range badJournals() {
		broken[bad.breaks] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			subtest := strings.ReplaceAll(bad.breaks, " ", "_")
			out, err := runJournal(t, name, "^"+subtest+"$")
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), "the suite did not notice: %v\n%s", err, out)
			require.Contains(t, out, "--- FAIL: TestJournalOfChild/"+subtest+" ")
			require.NotContains(t, out, "panic:")
		})
	}

	out, err := runJournal(t, "", "")
	require.NoError(t, err, "the good journal:\n%s", out)
	promises := regexp.MustCompile(`--- PASS: TestJournalOfChild/(\S+)`).FindAllStringSubmatch(out, -1)
	require.NotEmpty(t, promises)
	for _, m := range promises {
		require.True(t, broken[strings.ReplaceAll(m[1], "_", " ")], "no bad journal breaks %q", m[1])
	}
}

func runJournal(t *testing.T, name, subtest string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestJournalOfChild$/"+subtest, "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), journalEnv+"="+name)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func journalHarness(name string) rollouttest.JournalHarness {
	spoil := badJournals()[name].spoil
	return rollouttest.JournalHarness{
		New: func(*testing.T) rollout.Journal {
			good := new(memjournal.Journal)
			if spoil == nil {
				return good
			}
			b := &badJournal{Journal: good}
			spoil(good, b)
			return b
		},
		Reopen: func(_ *testing.T, j rollout.Journal) rollout.Journal {
			if b, ok := j.(*badJournal); ok && b.reopen != nil {
				b.reopen()
			}
			return j
		},
	}
}

// A badJournal does what its functions do, and where it has none, what the good one does.
type badJournal struct {
	*memjournal.Journal
	create func(context.Context, rollout.Head, []byte, [][]byte) error
	append func(context.Context, rollout.Head, [][]byte) error
	load   func(context.Context, rollout.Key) (rollout.Record, error)
	heads  func(context.Context, rollout.HeadQuery) iter.Seq2[rollout.Head, error]
	trim   func(context.Context, rollout.Key, uint64) error
	reopen func()
}

func (b *badJournal) Create(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
	if b.create == nil {
		return b.Journal.Create(ctx, h, plan, entries)
	}
	return b.create(ctx, h, plan, entries)
}

func (b *badJournal) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	if b.append == nil {
		return b.Journal.Append(ctx, h, entries)
	}
	return b.append(ctx, h, entries)
}

func (b *badJournal) Load(ctx context.Context, k rollout.Key) (rollout.Record, error) {
	if b.load == nil {
		return b.Journal.Load(ctx, k)
	}
	return b.load(ctx, k)
}

func (b *badJournal) Heads(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
	if b.heads == nil {
		return b.Journal.Heads(ctx, q)
	}
	return b.heads(ctx, q)
}

func (b *badJournal) Trim(ctx context.Context, k rollout.Key, keep uint64) error {
	if b.trim == nil {
		return b.Journal.Trim(ctx, k, keep)
	}
	return b.trim(ctx, k, keep)
}

// A badKind is a way to be wrong, and the promise it breaks.
type badKind struct {
	breaks string
	spoil  func(good *memjournal.Journal, b *badJournal)
}

func badJournals() map[string]badKind {
	type ctx = context.Context
	return map[string]badKind{
		"loses the plan": {"a rollout comes back as it was created", func(good *memjournal.Journal, b *badJournal) {
			b.create = func(c ctx, h rollout.Head, _ []byte, e [][]byte) error { return good.Create(c, h, nil, e) }
		}},
		"takes a second create for the first": {"a rollout is created once", func(good *memjournal.Journal, b *badJournal) {
			b.create = func(c ctx, h rollout.Head, p []byte, e [][]byte) error {
				return ignore(good.Create(c, h, p, e), rollout.ErrExists)
			}
		}},
		"counts itself": {"a create whose count is wrong stores nothing", func(good *memjournal.Journal, b *badJournal) {
			b.create = func(c ctx, h rollout.Head, p []byte, e [][]byte) error {
				h.Entries = uint64(len(e))
				return good.Create(c, h, p, e)
			}
		}},
		"glues tenant and ID together": {"tenant and ID name a rollout together", rename(func(k rollout.Key) rollout.Key {
			return rollout.Key{ID: rollout.ID(k.String())}
		})},
		"takes upper case for lower": {"tenant and ID name a rollout together", rename(func(k rollout.Key) rollout.Key {
			return rollout.Key{Tenant: inventory.Tenant(strings.ToLower(string(k.Tenant))), ID: k.ID}
		})},
		"creates what it appends to": {"a rollout that is not there is not found", func(good *memjournal.Journal, b *badJournal) {
			b.append = func(c ctx, h rollout.Head, e [][]byte) error {
				if err := good.Append(c, h, e); !errors.Is(err, rollout.ErrNotFound) {
					return err
				}
				h.Entries = uint64(len(e))
				return good.Create(c, h, nil, e)
			}
		}},
		"finds nothing and says nothing": {"a rollout that is not there is not found", func(good *memjournal.Journal, b *badJournal) {
			b.load = func(c ctx, k rollout.Key) (rollout.Record, error) {
				r, err := good.Load(c, k)
				return r, ignore(err, rollout.ErrNotFound)
			}
		}},
		"appends whatever the count": {"an append to another number of entries is a conflict", func(good *memjournal.Journal, b *badJournal) {
			b.append = func(c ctx, h rollout.Head, e [][]byte) error { return appendAnyway(c, good, h, e) }
		}},
		"replaces the head in spite of a conflict": {"an append to another number of entries is a conflict", func(good *memjournal.Journal, b *badJournal) {
			b.append = func(c ctx, h rollout.Head, e [][]byte) error {
				err := good.Append(c, h, e)
				if errors.Is(err, rollout.ErrConflict) {
					return errors.Join(err, appendAnyway(c, good, h, nil))
				}
				return err
			}
		}},
		"looks before it locks": {"one of many racing appends wins", func(good *memjournal.Journal, b *badJournal) {
			var mu sync.Mutex
			b.append = func(c ctx, h rollout.Head, e [][]byte) error {
				r, err := good.Load(c, h.Key)
				if err != nil || r.Head.Entries+uint64(len(e)) != h.Entries {
					return errors.Join(err, good.Append(c, h, e))
				}
				for range 1000 {
					runtime.Gosched() // the others look too
				}
				mu.Lock()
				defer mu.Unlock()
				return appendAnyway(c, good, h, e)
			}
		}},
		"ends an entry at a zero byte": {"entries come back in order, byte by byte", change(func(entries [][]byte) [][]byte {
			for i := range entries {
				entries[i], _, _ = bytes.Cut(entries[i], []byte{0})
			}
			return entries
		})},
		"reverses the entries of one append": {"entries come back in order, byte by byte", change(func(entries [][]byte) [][]byte {
			slices.Reverse(entries)
			return entries
		})},
		"cuts large entries": {"entries come back in order, byte by byte", change(func(entries [][]byte) [][]byte {
			for i := range entries {
				entries[i] = entries[i][:min(len(entries[i]), 1<<20)]
			}
			return entries
		})},
		"skips empty entries": {"entries come back in order, byte by byte", func(good *memjournal.Journal, b *badJournal) {
			b.load = entriesOf(good, func(r rollout.Record, yield func([]byte, error) bool) {
				for e, err := range r.Entries {
					if len(e) > 0 && !yield(e, err) {
						return
					}
				}
			})
		}},
		"keeps the caller's slices": {"the caller may reuse its slices", keepSlices},
		"keeps the old quarantine": {"an append replaces the whole head", func(good *memjournal.Journal, b *badJournal) {
			b.append = func(c ctx, h rollout.Head, e [][]byte) error {
				if r, err := good.Load(c, h.Key); err == nil {
					h.Quarantine = r.Head.Quarantine
				}
				return good.Append(c, h, e)
			}
		}},
		"does not list what an append changed": {"an append replaces the whole head", func(good *memjournal.Journal, b *badJournal) {
			b.heads = headsOf(good, func(h rollout.Head) rollout.Head { h.Updated = h.Created.Add(time.Hour); return h })
		}},
		"rounds to microseconds": {"times come back in UTC to the nanosecond", func(good *memjournal.Journal, b *badJournal) {
			b.create = func(c ctx, h rollout.Head, p []byte, e [][]byte) error {
				h.Created = h.Created.Truncate(time.Microsecond)
				return good.Create(c, h, p, e)
			}
		}},
		"answers in another zone": {"times come back in UTC to the nanosecond", func(good *memjournal.Journal, b *badJournal) {
			b.load = func(c ctx, k rollout.Key) (rollout.Record, error) {
				r, err := good.Load(c, k)
				r.Head.Updated = r.Head.Updated.In(time.FixedZone("here", 3600))
				return r, err
			}
		}},
		"lists by ID": {"heads come in the order of tenant and ID", func(good *memjournal.Journal, b *badJournal) {
			b.heads = func(c ctx, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
				return func(yield func(rollout.Head, error) bool) {
					var heads []rollout.Head
					for h, err := range good.Heads(c, q) {
						if err != nil {
							yield(h, err)
							return
						}
						heads = append(heads, h)
					}
					slices.SortStableFunc(heads, func(a, b rollout.Head) int { return strings.Compare(string(a.ID), string(b.ID)) })
					for _, h := range heads {
						if !yield(h, nil) {
							return
						}
					}
				}
			}
		}},
		"takes acme2 for a part of acme": {"heads of a tenant are its own and those below", filter(func(q rollout.HeadQuery, h rollout.Head) bool {
			return strings.HasPrefix(string(h.Tenant), string(q.Tenant)) && !(q.Unfinished && h.Stage.Final())
		})},
		"lists the tenant alone": {"heads of a tenant are its own and those below", filter(func(q rollout.HeadQuery, h rollout.Head) bool {
			return (q.Tenant == "" || q.Tenant == h.Tenant) && !(q.Unfinished && h.Stage.Final())
		})},
		"takes a halted rollout for a finished one": {"unfinished heads are those whose stage is not final", filter(func(q rollout.HeadQuery, h rollout.Head) bool {
			return q.Tenant.Contains(h.Tenant) && !(q.Unfinished && h.Stage != rollout.StageActive)
		})},
		"never closes what a reader left": {"a reader that stops early frees what it held", func(good *memjournal.Journal, b *badJournal) {
			open := 0
			b.load = entriesOf(good, func(r rollout.Record, yield func([]byte, error) bool) {
				if open++; open > 100 {
					yield(nil, errors.New("too many readers"))
					return
				}
				for e, err := range r.Entries {
					if !yield(e, err) {
						return
					}
				}
				open--
			})
		}},
		"locks while it is read": {"a reader that stops early frees what it held", func(good *memjournal.Journal, b *badJournal) {
			var readers atomic.Int32
			b.load = entriesOf(good, func(r rollout.Record, yield func([]byte, error) bool) {
				readers.Add(1)
				defer readers.Add(-1)
				r.Entries(yield)
			})
			b.append = func(c ctx, h rollout.Head, e [][]byte) error {
				if readers.Load() > 0 {
					return errors.New("locked")
				}
				return good.Append(c, h, e)
			}
		}},
		"reads entries when they are asked for": {"a record is of the moment it was loaded", func(good *memjournal.Journal, b *badJournal) {
			b.load = entriesOf(good, func(r rollout.Record, yield func([]byte, error) bool) {
				now, err := good.Load(context.Background(), r.Head.Key)
				if err != nil {
					yield(nil, err)
					return
				}
				now.Entries(yield)
			})
		}},
		"reads the head after the entries": {"readers see a prefix while others append", func(good *memjournal.Journal, b *badJournal) {
			b.load = func(c ctx, k rollout.Key) (rollout.Record, error) {
				r, err := good.Load(c, k)
				for range 10_000 {
					later, _ := good.Load(c, k)
					if later.Head.Entries != r.Head.Entries {
						r.Head = later.Head
						break
					}
					runtime.Gosched()
				}
				return r, err
			}
		}},
		"trims whatever it is told": {"only the last entry can be trimmed", func(good *memjournal.Journal, b *badJournal) {
			b.trim = func(c ctx, k rollout.Key, keep uint64) error {
				r, err := good.Load(c, k)
				for n := r.Head.Entries; err == nil && n > keep; n-- {
					err = good.Trim(c, k, n-1)
				}
				return err
			}
		}},
		"trims nothing": {"only the last entry can be trimmed", func(good *memjournal.Journal, b *badJournal) {
			b.trim = func(c ctx, k rollout.Key, keep uint64) error {
				r, err := good.Load(c, k)
				if err != nil || keep+1 == r.Head.Entries {
					return err
				}
				return good.Trim(c, k, keep)
			}
		}},
		"forgets the last entry": {"a reopened journal has everything", func(good *memjournal.Journal, b *badJournal) {
			b.reopen = func() {
				for h, err := range good.Heads(context.Background(), rollout.HeadQuery{}) {
					if err == nil && h.Entries > 2 {
						good.Trim(context.Background(), h.Key, h.Entries-1)
					}
				}
			}
		}},
		"does not look at the context of an append": {"a call whose context is done changes nothing", func(good *memjournal.Journal, b *badJournal) {
			b.append = func(c ctx, h rollout.Head, e [][]byte) error { return good.Append(context.WithoutCancel(c), h, e) }
		}},
		"does not look at the context of a listing": {"a call whose context is done changes nothing", func(good *memjournal.Journal, b *badJournal) {
			b.heads = func(c ctx, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
				return good.Heads(context.WithoutCancel(c), q)
			}
		}},
	}
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// appendAnyway appends to however many entries there are.
func appendAnyway(ctx context.Context, good *memjournal.Journal, h rollout.Head, entries [][]byte) error {
	r, err := good.Load(ctx, h.Key)
	if err != nil {
		return err
	}
	h.Entries = r.Head.Entries + uint64(len(entries))
	return good.Append(ctx, h, entries)
}

// rename keeps every rollout under another key.
func rename(to func(rollout.Key) rollout.Key) func(*memjournal.Journal, *badJournal) {
	return func(good *memjournal.Journal, b *badJournal) {
		b.create = func(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
			h.Key = to(h.Key)
			return good.Create(ctx, h, plan, entries)
		}
		b.append = func(ctx context.Context, h rollout.Head, entries [][]byte) error {
			h.Key = to(h.Key)
			return good.Append(ctx, h, entries)
		}
		b.load = func(ctx context.Context, k rollout.Key) (rollout.Record, error) {
			r, err := good.Load(ctx, to(k))
			r.Head.Key = k
			return r, err
		}
	}
}

// change stores other entries than it was given.
func change(to func([][]byte) [][]byte) func(*memjournal.Journal, *badJournal) {
	return func(good *memjournal.Journal, b *badJournal) {
		b.create = func(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
			return good.Create(ctx, h, plan, to(slices.Clone(entries)))
		}
		b.append = func(ctx context.Context, h rollout.Head, entries [][]byte) error {
			return good.Append(ctx, h, to(slices.Clone(entries)))
		}
	}
}

// filter decides itself which heads match.
func filter(match func(rollout.HeadQuery, rollout.Head) bool) func(*memjournal.Journal, *badJournal) {
	return func(good *memjournal.Journal, b *badJournal) {
		b.heads = func(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
			return func(yield func(rollout.Head, error) bool) {
				for h, err := range good.Heads(ctx, rollout.HeadQuery{}) {
					if (err != nil || match(q, h)) && !yield(h, err) {
						return
					}
				}
			}
		}
	}
}

// entriesOf loads from good, but lets read yield the entries.
func entriesOf(
	good *memjournal.Journal, read func(rollout.Record, func([]byte, error) bool),
) func(context.Context, rollout.Key) (rollout.Record, error) {
	return func(ctx context.Context, k rollout.Key) (rollout.Record, error) {
		r, err := good.Load(ctx, k)
		if err != nil {
			return r, err
		}
		whole := r
		r.Entries = func(yield func([]byte, error) bool) { read(whole, yield) }
		return r, nil
	}
}

func headsOf(
	good *memjournal.Journal, to func(rollout.Head) rollout.Head,
) func(context.Context, rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
	return func(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
		return func(yield func(rollout.Head, error) bool) {
			for h, err := range good.Heads(ctx, q) {
				if !yield(to(h), err) {
					return
				}
			}
		}
	}
}

// keepSlices makes b hand out the very slices that it was given.
func keepSlices(good *memjournal.Journal, b *badJournal) {
	var mu sync.Mutex
	kept := map[rollout.Key][][]byte{}
	keep := func(k rollout.Key, entries [][]byte, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			kept[k] = append(kept[k], entries...)
		}
		return err
	}
	b.create = func(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
		return keep(h.Key, entries, good.Create(ctx, h, plan, entries))
	}
	b.append = func(ctx context.Context, h rollout.Head, entries [][]byte) error {
		return keep(h.Key, entries, good.Append(ctx, h, entries))
	}
	b.load = entriesOf(good, func(r rollout.Record, yield func([]byte, error) bool) {
		mu.Lock()
		entries := kept[r.Head.Key]
		mu.Unlock()
		for _, e := range entries[:r.Head.Entries] {
			if !yield(e, nil) {
				return
			}
		}
	})
}

// A vendor's own journal is tested with one call.
func ExampleJournal() {
	test := func(t *testing.T) { // in a file of tests: func TestJournal(t *testing.T)
		rollouttest.Journal(t, rollouttest.JournalHarness{
			New: func(*testing.T) rollout.Journal { return new(memjournal.Journal) },
		})
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
