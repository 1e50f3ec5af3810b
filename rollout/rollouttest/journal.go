package rollouttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A JournalHarness tells [Journal] how to come by the journals that it tests.
type JournalHarness struct {
	// New returns an empty journal. What is to be closed is closed by t.Cleanup.
	New func(t *testing.T) rollout.Journal

	// Reopen closes a journal and opens what it kept anew, as after a restart. Nil says that the journal does not outlive
	// its process; what needs it is skipped then.
	Reopen func(t *testing.T, j rollout.Journal) rollout.Journal
}

// Journal tests whether a journal keeps the promises of [rollout.Journal], and of [rollout.Trimmer] if it is one: one
// subtest per promise, named as the promise. It asks h for a fresh journal in each of them.
func Journal(t *testing.T, h JournalHarness) {
	promises := []struct {
		name string
		test func(*testing.T, JournalHarness)
	}{
		{"a rollout comes back as it was created", journalCreate},
		{"a rollout is created once", journalCreateOnce},
		{"a create whose count is wrong stores nothing", journalCreateWrong},
		{"tenant and ID name a rollout together", journalKeys},
		{"a rollout that is not there is not found", journalNotFound},
		{"an append to another number of entries is a conflict", journalConflict},
		{"one of many racing appends wins", journalRace},
		{"entries come back in order, byte by byte", journalEntries},
		{"the caller may reuse its slices", journalReuse},
		{"an append replaces the whole head", journalHead},
		{"times come back in UTC to the nanosecond", journalTimes},
		{"heads come in the order of tenant and ID", journalOrder},
		{"heads of a tenant are its own and those below", journalTenant},
		{"unfinished heads are those whose stage is not final", journalUnfinished},
		{"a reader that stops early frees what it held", journalStop},
		{"a record is of the moment it was loaded", journalSnapshot},
		{"readers see a prefix while others append", journalPrefix},
		{"only the last entry can be trimmed", journalTrim},
		{"a reopened journal has everything", journalReopen},
		{"a call whose context is done changes nothing", journalContext},
	}
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) { p.test(t, h) })
	}
}

func journalCreate(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	full := journalHeadOf("acme", "q1", 2)
	full.Stage = rollout.StagePaused
	full.Quarantine, full.Reviews = journalQuarantine(), journalReviews()
	require.NoError(t, j.Create(ctx, full, []byte("plan\x00\xff"), journalData("one", "two")))
	requireRecord(t, j, full, "plan\x00\xff", "one", "two")

	bare := rollout.Head{Key: rollout.Key{Tenant: "acme", ID: "bare"}}
	require.NoError(t, j.Create(ctx, bare, nil, nil), "no plan, no entries, no times")
	requireRecord(t, j, bare, "")
	bare.Entries = 1
	require.NoError(t, j.Append(ctx, bare, journalData("first")))
	requireRecord(t, j, bare, "", "first")

	plan := bytes.Repeat([]byte("device,ring\x00"), 1<<18) // 3 MiB
	large := journalHeadOf("acme", "large", 0)
	require.NoError(t, j.Create(ctx, large, plan, nil))
	requireRecord(t, j, large, string(plan))
}

func journalCreateOnce(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	first := journalHeadOf("acme", "q1", 1)
	require.NoError(t, j.Create(ctx, first, []byte("plan"), journalData("one")))
	second := journalHeadOf("acme", "q1", 2)
	second.Stage = rollout.StageDone
	require.ErrorIs(t, j.Create(ctx, second, []byte("other"), journalData("two", "three")), rollout.ErrExists)
	requireRecord(t, j, first, "plan", "one")

	errs := journalTogether(16, func(i int) error {
		return j.Create(ctx, journalHeadOf("acme", "race", 1), fmt.Append(nil, i), journalData(fmt.Sprint("entry of ", i)))
	})
	winner := requireOneWins(t, errs, rollout.ErrExists)
	requireRecord(t, j, journalHeadOf("acme", "race", 1), fmt.Sprint(winner), fmt.Sprint("entry of ", winner))
}

func journalCreateWrong(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 2)
	require.Error(t, j.Create(ctx, head, []byte("plan"), journalData("one")), "the head counts two entries, there is one")
	_, err := j.Load(ctx, head.Key)
	require.ErrorIs(t, err, rollout.ErrNotFound, "half a rollout was stored")
	require.NoError(t, j.Create(ctx, head, []byte("plan"), journalData("one", "two")))
}

func journalKeys(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	keys := []rollout.Key{
		{Tenant: "acme", ID: "q1"}, {Tenant: "globex", ID: "q1"}, {Tenant: "acme", ID: "q2"}, {Tenant: "", ID: "q1"},
		{Tenant: "Acme", ID: "q1"}, {Tenant: "acme", ID: "Q1"}, {Tenant: "acme ", ID: "q1"},
		{Tenant: "a:b", ID: "c"}, {Tenant: "a", ID: "b:c"}, {Tenant: "a/b", ID: "c"}, {Tenant: "a", ID: "b/c"},
		{Tenant: "a\x00b", ID: "c"}, {Tenant: "a", ID: "b\x00c"}, {Tenant: "a", ID: "b"},
		{Tenant: "Zürich", ID: "100%_'\"`\\"}, {Tenant: "1", ID: "1"}, {Tenant: "1", ID: "01"}, {Tenant: "1", ID: "1.0"},
	}
	for _, k := range keys {
		require.NoError(t, j.Create(ctx, journalHeadOf(k.Tenant, k.ID, 1), []byte(k.String()), journalData("a "+k.String())), k)
	}
	for _, k := range keys {
		require.NoError(t, j.Append(ctx, journalHeadOf(k.Tenant, k.ID, 2), journalData("b "+k.String())), k)
	}
	for _, k := range keys {
		requireRecord(t, j, journalHeadOf(k.Tenant, k.ID, 2), k.String(), "a "+k.String(), "b "+k.String())
	}
}

func journalNotFound(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	require.NoError(t, j.Create(ctx, journalHeadOf("acme", "q1", 1), nil, journalData("one")))
	for _, k := range []rollout.Key{{Tenant: "acme", ID: "q2"}, {Tenant: "acme/berlin", ID: "q1"}, {ID: "q1"}} {
		_, err := j.Load(ctx, k)
		require.ErrorIs(t, err, rollout.ErrNotFound, k)
		require.ErrorIs(t, j.Append(ctx, journalHeadOf(k.Tenant, k.ID, 1), journalData("one")), rollout.ErrNotFound, k)
		require.ErrorIs(t, j.Append(ctx, journalHeadOf(k.Tenant, k.ID, 2), journalData("two")), rollout.ErrNotFound, k)
		if trimmer, ok := j.(rollout.Trimmer); ok {
			require.ErrorIs(t, trimmer.Trim(ctx, k, 0), rollout.ErrNotFound, k)
		}
	}
	require.Equal(t, []string{"acme:q1"}, journalList(t, j, rollout.HeadQuery{}))
}

func journalConflict(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 3)
	require.NoError(t, j.Create(ctx, head, []byte("plan"), journalData("one", "two", "three")))
	for _, c := range []struct {
		why     string
		count   uint64
		entries [][]byte
	}{
		{"somebody else was faster", 3, journalData("late")},
		{"two behind", 3, journalData("late", "later")},
		{"a gap", 5, journalData("early")},
		{"more entries than the count", 1, journalData("a", "b")},
		{"nothing to add, behind", 2, nil},
		{"nothing to add, ahead", 4, nil},
		{"a count of zero", 0, journalData("a")},
	} {
		other := journalHeadOf("acme", "q1", c.count)
		other.Stage, other.Quarantine = rollout.StageDone, journalQuarantine()
		require.ErrorIs(t, j.Append(ctx, other, c.entries), rollout.ErrConflict, c.why)
		requireRecord(t, j, head, "plan", "one", "two", "three")
	}
	head.Entries = 4
	require.NoError(t, j.Append(ctx, head, journalData("four")))
	requireRecord(t, j, head, "plan", "one", "two", "three", "four")
}

func journalRace(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	const rounds, racers = 5, 16
	require.NoError(t, j.Create(ctx, journalHeadOf("acme", "q1", 0), nil, nil))
	var want []string
	for n := range uint64(rounds) {
		errs := journalTogether(racers, func(i int) error {
			return j.Append(ctx, journalHeadOf("acme", "q1", n+1), journalData(fmt.Sprint("round ", n, " racer ", i)))
		})
		want = append(want, fmt.Sprint("round ", n, " racer ", requireOneWins(t, errs, rollout.ErrConflict)))
		requireRecord(t, j, journalHeadOf("acme", "q1", n+1), "", want...)
	}

	// Others that append at the same time, elsewhere, are not harmed by the conflicts.
	for i := range racers {
		require.NoError(t, j.Create(ctx, journalHeadOf("acme", journalID(i), 0), nil, nil))
	}
	errs := journalTogether(2*racers, func(i int) error {
		if i%2 == 0 {
			return j.Append(ctx, journalHeadOf("acme", "q1", 1), journalData("stale"))
		}
		return j.Append(ctx, journalHeadOf("acme", journalID(i/2), 1), journalData("fresh"))
	})
	for i, err := range errs {
		if i%2 == 0 {
			require.ErrorIs(t, err, rollout.ErrConflict)
			continue
		}
		require.NoError(t, err)
		requireRecord(t, j, journalHeadOf("acme", journalID(i/2), 1), "", "fresh")
	}
	requireRecord(t, j, journalHeadOf("acme", "q1", rounds), "", want...)
}

func journalEntries(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	large := bytes.Repeat([]byte("0123456\x00"), 1<<20) // 8 MiB
	appends := [][]string{
		{string(every)}, {""}, {"\x00"}, {"a\x00b"}, {"\xff\xfe"}, {"", "", "last of three"}, {"same"}, {"same"},
		{string(large)}, {"one", "two", "three"}, {strings.Repeat("x", 4095), strings.Repeat("y", 4096), strings.Repeat("z", 65537)},
	}
	head := journalHeadOf("acme", "q1", 2)
	require.NoError(t, j.Create(ctx, head, nil, journalData("", "second")))
	want := []string{"", "second"}
	for _, a := range appends {
		head.Entries += uint64(len(a))
		require.NoError(t, j.Append(ctx, head, journalData(a...)))
		want = append(want, a...)
	}
	for range 1000 {
		head.Entries++
		want = append(want, fmt.Sprint("entry ", head.Entries))
	}
	require.NoError(t, j.Append(ctx, head, journalData(want[len(want)-1000:]...)))
	requireRecord(t, j, head, "", want...)
}

func journalReuse(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 1)
	head.Quarantine, head.Reviews = journalQuarantine(), journalReviews()
	plan, entries := []byte("plan"), journalData("one")
	spoil := func() {
		copy(plan, "XXXX")
		copy(entries[0], "XXXX")
		entries[0] = nil
		head.Quarantine[0].Reason = "spoiled"
		head.Reviews[0].Reason, head.Reviews[0].Bypassed[0] = "spoiled", "spoiled"
	}
	require.NoError(t, j.Create(ctx, head, plan, entries))
	spoil()
	want := journalHeadOf("acme", "q1", 1)
	want.Quarantine, want.Reviews = journalQuarantine(), journalReviews()
	requireRecord(t, j, want, "plan", "one")

	head.Entries, head.Quarantine, head.Reviews, entries[0] = 2, journalQuarantine(), journalReviews(), []byte("two")
	require.NoError(t, j.Append(ctx, head, entries))
	spoil()
	want.Entries = 2
	requireRecord(t, j, want, "plan", "one", "two")
}

func journalHead(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 0)
	require.NoError(t, j.Create(ctx, head, []byte("plan"), nil))
	var entries []string
	for stage := rollout.StageUnknown; stage <= rollout.StageDenied; stage++ {
		head.Entries++
		head.Stage = stage
		head.Created = head.Created.Add(time.Second)
		head.Updated = head.Updated.Add(time.Minute)
		head.Quarantine, head.Reviews = nil, nil
		if stage%3 == 1 {
			head.Reviews = append(journalReviews(), rollout.Review{Ring: stage.String()})
		}
		if stage%2 == 1 {
			head.Quarantine = append(journalQuarantine(), rollout.Quarantine{Patch: patch.ID(stage.String())})
		}
		entries = append(entries, stage.String())
		require.NoError(t, j.Append(ctx, head, journalData(stage.String())))
		requireRecord(t, j, head, "plan", entries...)
	}

	head.Stage, head.Updated = rollout.StageHalted, head.Updated.Add(time.Minute)
	require.NoError(t, j.Append(ctx, head, nil), "a head without an entry")
	requireRecord(t, j, head, "plan", entries...)
}

func journalTimes(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	east := time.FixedZone("east", 5*3600+45*60)
	for i, at := range []time.Time{
		{},
		time.Now(), // with a monotonic reading
		time.Date(2027, 3, 28, 2, 30, 0, 123456789, east),
		time.Date(2027, 10, 31, 1, 59, 59, 999999999, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 1, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		head := journalHeadOf("acme", journalID(i), 0)
		head.Created, head.Updated = at, at
		head.Quarantine = []rollout.Quarantine{{Since: at, Released: at}}
		head.Reviews = []rollout.Review{{Since: at, Due: at, Closed: at}}
		require.NoError(t, j.Create(ctx, head, nil, nil))
		requireRecord(t, j, head, "")
		head.Updated = at.Add(-1)
		require.NoError(t, j.Append(ctx, head, nil))
		requireRecord(t, j, head, "")
	}
}

// journalContextFor bounds a subtest: a journal that hangs fails.
func journalContextFor(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func journalHeadOf(tenant inventory.Tenant, id rollout.ID, entries uint64) rollout.Head {
	at := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	return rollout.Head{
		Key: rollout.Key{Tenant: tenant, ID: id}, Entries: entries, Stage: rollout.StageActive, Created: at, Updated: at.Add(time.Hour),
		Leftover: int(entries % 3),
	}
}

func journalID(i int) rollout.ID { return rollout.ID(fmt.Sprintf("q%03d", i)) }

func journalReviews() []rollout.Review {
	at := time.Date(2027, 2, 3, 4, 5, 6, 789012345, time.UTC)
	return []rollout.Review{{Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Ring: "broad", Request: "acme:q1/broad/approval/1", By: "hans",
		Reason: "a worm \"again\" 🔥", Bypassed: []string{"1 more: 2 people", "freeze december"}, Since: at, Due: at.Add(time.Hour)}}
}

func journalQuarantine() []rollout.Quarantine {
	at := time.Date(2027, 2, 3, 4, 5, 6, 789012345, time.UTC)
	return []rollout.Quarantine{
		{
			Patch: "debian:DSA-5650-1", Tenant: "acme/berlin", Since: at, Reason: "café \"closed\"\nline <two> & \\ 🔥", Rollout: "q0",
			Released: at.Add(time.Nanosecond), By: "ada@acme.example",
		},
		{Patch: "msrc:KB5055523", Tenant: "acme", Since: at},
	}
}

func journalData(entries ...string) [][]byte {
	data := make([][]byte, len(entries))
	for i, e := range entries {
		data[i] = []byte(e)
	}
	return data
}

// journalTogether calls f n times at once, with 0 to n-1, and returns the errors in that order.
func journalTogether(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// requireOneWins asserts that one of errs is nil and all others are lost, and returns which one is nil.
func requireOneWins(t *testing.T, errs []error, lost error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, lost)
			continue
		}
		require.Equal(t, -1, winner, "a second one was told that it won")
		winner = i
	}
	require.NotEqual(t, -1, winner, "nobody won")
	return winner
}

// requireRecord asserts what the journal holds under want.Key, by Load and by Heads.
func requireRecord(t *testing.T, j rollout.Journal, want rollout.Head, plan string, entries ...string) {
	t.Helper()
	r, err := j.Load(t.Context(), want.Key)
	require.NoError(t, err)
	requireHead(t, "loaded", want, r.Head)
	requireSame(t, "plan", plan, r.Plan)
	requireEntries(t, r, entries...)

	for h, err := range j.Heads(t.Context(), rollout.HeadQuery{Tenant: want.Tenant}) {
		require.NoError(t, err)
		if h.Key == want.Key {
			requireHead(t, "listed", want, h)
			return
		}
	}
	require.Fail(t, "not listed", "%v", want.Key)
}

// requireHead asserts a head, with the instants that were given and in UTC.
func requireHead(t *testing.T, how string, want, got rollout.Head) {
	t.Helper()
	require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty()), "%s head, -want +got", how)
	times := []time.Time{got.Created, got.Updated}
	for _, q := range got.Quarantine {
		times = append(times, q.Since, q.Released)
	}
	for _, at := range times {
		require.Equal(t, time.UTC, at.Location(), "%s head: %v", how, at)
	}
}

func requireEntries(t *testing.T, r rollout.Record, want ...string) {
	t.Helper()
	n := 0
	for e, err := range r.Entries {
		require.NoError(t, err)
		require.Less(t, n, len(want), "more entries than were appended")
		requireSame(t, fmt.Sprint("entry ", n), want[n], e)
		n++
	}
	require.Equal(t, len(want), n, "number of entries")
}

// requireSame compares bytes without printing megabytes of them.
func requireSame(t *testing.T, what, want string, got []byte) {
	t.Helper()
	if want == string(got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	require.Fail(t, what+" differs", "at byte %d: want %d bytes, %.20q from there; got %d bytes, %.20q",
		at, len(want), want[at:], len(got), got[at:])
}

// journalList returns the keys that a listing yields.
func journalList(t *testing.T, j rollout.Journal, q rollout.HeadQuery) []string {
	t.Helper()
	var keys []string
	for h, err := range j.Heads(t.Context(), q) {
		require.NoError(t, err)
		keys = append(keys, h.Key.String())
	}
	return keys
}

// journalEnd goes through a listing and returns the error that ends it, nil if there is none. An error has to be the last
// pair.
func journalEnd[T any](t *testing.T, seq iter.Seq2[T, error]) error {
	t.Helper()
	var end error
	for _, err := range seq {
		require.NoError(t, end, "the sequence went on after an error")
		end = errors.Join(end, err)
	}
	return end
}
