package rollouttest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

func journalOrder(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	require.Empty(t, journalList(t, j, rollout.HeadQuery{}), "an empty journal has no heads")
	var keys []rollout.Key
	for _, tenant := range []inventory.Tenant{"", "Acme", "a", "acme", "acme-x", "acme/berlin", "acme2", "b", "é"} {
		for _, id := range []rollout.ID{"", "B", "a", "a-1", "a/1", "q1", "q10", "q2", "ü"} {
			keys = append(keys, rollout.Key{Tenant: tenant, ID: id})
		}
	}
	var want []string
	for i, k := range keys {
		want = append(want, k.String())
		k = keys[(i+1)*50%len(keys)] // in another order; 50 and 81 have no common factor
		require.NoError(t, j.Create(ctx, journalHeadOf(k.Tenant, k.ID, 0), nil, nil))
	}
	require.Equal(t, want, journalList(t, j, rollout.HeadQuery{}))

	for i := range 700 {
		require.NoError(t, j.Create(ctx, journalHeadOf("many", journalID((i*3+1)%700), 0), nil, nil))
	}
	many := journalList(t, j, rollout.HeadQuery{Tenant: "many"})
	require.Len(t, many, 700)
	require.True(t, slices.IsSorted(many))
	require.Len(t, slices.Compact(many), 700, "each head once")
}

func journalTenant(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	tenants := []inventory.Tenant{
		"", "ACME", "ac", "acme", "acme ", "acme-x", "acme/", "acme/berlin", "acme/berlin/mitte", "acme/paris", "acme0", "acme2", "b/acme", "a%",
		"a_me",
	}
	for _, tenant := range tenants {
		require.NoError(t, j.Create(ctx, journalHeadOf(tenant, "q", 0), nil, nil))
	}
	slices.Sort(tenants)
	for _, asked := range append(tenants, "acme/ber", "nobody", "acme/berlin/") {
		var want []string
		for _, tenant := range tenants {
			if asked.Contains(tenant) {
				want = append(want, rollout.Key{Tenant: tenant, ID: "q"}.String())
			}
		}
		require.Equal(t, want, journalList(t, j, rollout.HeadQuery{Tenant: asked}), "tenant %q", asked)
	}
}

func journalUnfinished(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	var want []string
	for stage := rollout.StageUnknown; stage <= rollout.StageDenied; stage++ {
		for _, tenant := range []inventory.Tenant{"acme", "globex"} {
			head := journalHeadOf(tenant, rollout.ID("created-"+stage.String()), 0)
			head.Stage = stage
			require.NoError(t, j.Create(ctx, head, nil, nil))

			head = journalHeadOf(tenant, rollout.ID("reached-"+stage.String()), 0)
			head.Stage = rollout.StageDenied - stage // from final to not, and back
			require.NoError(t, j.Create(ctx, head, nil, nil))
			head.Entries, head.Stage = 1, stage
			require.NoError(t, j.Append(ctx, head, journalData("on")))
			if tenant == "acme" && !stage.Final() {
				want = append(want, "acme:created-"+stage.String(), "acme:reached-"+stage.String())
			}
		}
	}
	slices.Sort(want)
	require.Equal(t, want, journalList(t, j, rollout.HeadQuery{Tenant: "acme", Unfinished: true}))
	require.Len(t, journalList(t, j, rollout.HeadQuery{Unfinished: true}), 2*len(want))

	left := journalHeadOf("acme", "left", 0)
	left.Stage, left.Leftover = rollout.StageDone, 2
	require.NoError(t, j.Create(ctx, left, nil, nil))
	left.ID, left.Stage = "left-and-goes-on", rollout.StageActive
	require.NoError(t, j.Create(ctx, left, nil, nil))
	require.Equal(t, []string{"acme:left"}, journalList(t, j, rollout.HeadQuery{Leftover: true}))
	want = append(want, "acme:left-and-goes-on")
	slices.Sort(want)
	require.Equal(t, want, journalList(t, j, rollout.HeadQuery{Tenant: "acme", Unfinished: true}))
	want = append(want, "acme:left")
	slices.Sort(want)
	require.Equal(t, want, journalList(t, j, rollout.HeadQuery{Tenant: "acme", Unfinished: true, Leftover: true}))
	left = journalHeadOf("acme", "left", 0)
	left.Stage, left.Entries = rollout.StageDone, 1
	require.NoError(t, j.Append(ctx, left, journalData("acknowledged")))
	require.Empty(t, journalList(t, j, rollout.HeadQuery{Leftover: true}))

	back := journalHeadOf("acme", "reached-done", 1)
	back.Stage = rollout.StageUndoing
	require.NoError(t, j.Append(ctx, back, nil))
	require.Contains(t, journalList(t, j, rollout.HeadQuery{Tenant: "acme", Unfinished: true}), "acme:reached-done", "taken up again")
}

func journalStop(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 3)
	require.NoError(t, j.Create(ctx, head, nil, journalData("one", "two", "three")))
	require.NoError(t, j.Create(ctx, journalHeadOf("acme", "q2", 0), nil, nil))
	for range 300 {
		r, err := j.Load(ctx, head.Key)
		require.NoError(t, err)
		for e, err := range r.Entries {
			require.NoError(t, err)
			require.Equal(t, "one", string(e))
			break
		}
		for got, err := range j.Heads(ctx, rollout.HeadQuery{}) {
			require.NoError(t, err)
			require.Equal(t, head.Key, got.Key)
			break
		}
		_, err = j.Load(ctx, head.Key) // a record whose entries nobody wants
		require.NoError(t, err)
	}

	// Whoever reads may also write, and read again.
	r, err := j.Load(ctx, head.Key)
	require.NoError(t, err)
	for _, err := range r.Entries {
		require.NoError(t, err)
		for _, err := range j.Heads(ctx, rollout.HeadQuery{}) {
			require.NoError(t, err)
			head.Entries++
			require.NoError(t, j.Append(ctx, head, journalData("more")))
		}
	}
	requireRecord(t, j, head, "", "one", "two", "three", "more", "more", "more", "more", "more", "more")
}

func journalSnapshot(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 1)
	require.NoError(t, j.Create(ctx, head, nil, journalData("one")))
	before, err := j.Load(ctx, head.Key)
	require.NoError(t, err)
	later := head
	later.Entries, later.Stage = 3, rollout.StageHalted
	require.NoError(t, j.Append(ctx, later, journalData("two", "three")))
	requireHead(t, "loaded", head, before.Head)
	requireEntries(t, before, "one")
	requireRecord(t, j, later, "", "one", "two", "three")
}

func journalPrefix(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	const looks, each = 100, 4
	require.NoError(t, j.Create(ctx, journalHeadOf("acme", "q1", 0), []byte("plan"), nil))

	// A few entries are appended at every look, so that no side is done before the other has begun.
	turn, written := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		n, failed := uint64(0), error(nil)
		for range turn {
			for range each {
				if failed == nil {
					failed = j.Append(ctx, journalHeadOf("acme", "q1", n+1), journalData(fmt.Sprint(n)))
					n++
				}
			}
		}
		written <- failed
	}()
	end := sync.OnceValue(func() error { close(turn); return <-written })
	t.Cleanup(func() { end() }) // the journal is still open

	seen := uint64(0)
	look := func() {
		r, err := j.Load(ctx, rollout.Key{Tenant: "acme", ID: "q1"})
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Head.Entries, seen, "what was there is gone")
		seen = r.Head.Entries
		want := make([]string, seen)
		for i := range want {
			want[i] = fmt.Sprint(i)
		}
		requireEntries(t, r, want...)
	}
	for range looks {
		turn <- struct{}{}
		look()
	}
	require.NoError(t, end())
	look()
	require.EqualValues(t, looks*each, seen)
}

func journalTrim(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	trimmer, ok := j.(rollout.Trimmer)
	if !ok {
		t.Skip("the journal is no rollout.Trimmer")
	}
	head := journalHeadOf("acme", "q1", 4)
	head.Quarantine = journalQuarantine()
	require.NoError(t, j.Create(ctx, head, []byte("plan"), journalData("one", "two", "three", "four")))
	before, err := j.Load(ctx, head.Key)
	require.NoError(t, err)

	require.NoError(t, trimmer.Trim(ctx, head.Key, 4), "nothing to drop")
	for _, keep := range []uint64{0, 1, 2, 5, 1 << 63} {
		require.ErrorIs(t, trimmer.Trim(ctx, head.Key, keep), rollout.ErrConflict, "keep %d of 4", keep)
		requireRecord(t, j, head, "plan", "one", "two", "three", "four")
	}
	require.NoError(t, trimmer.Trim(ctx, head.Key, 3))
	head.Entries = 3
	requireRecord(t, j, head, "plan", "one", "two", "three")

	require.ErrorIs(t, j.Append(ctx, journalHeadOf("acme", "q1", 5), journalData("five")), rollout.ErrConflict, "the count before the trim")
	head.Entries = 4
	require.NoError(t, j.Append(ctx, head, journalData("other")))
	requireRecord(t, j, head, "plan", "one", "two", "three", "other")

	// A record from before the trim may show the entry that went, or end with an error, but never show another in its place.
	n := 0
	for e, err := range before.Entries {
		if err != nil {
			break
		}
		requireSame(t, fmt.Sprint("entry ", n), []string{"one", "two", "three", "four"}[n], e)
		n++
	}
}

func journalReopen(t *testing.T, h JournalHarness) {
	if h.Reopen == nil {
		t.Skip("the journal does not outlive its process")
	}
	ctx, j := journalContextFor(t), h.New(t)
	one, two, gone := journalHeadOf("acme", "q1", 1), journalHeadOf("acme/berlin", "q1", 0), journalHeadOf("acme", "trimmed", 2)
	require.NoError(t, j.Create(ctx, one, []byte("plan"), journalData("one")))
	require.NoError(t, j.Create(ctx, two, nil, nil))
	require.NoError(t, j.Create(ctx, gone, nil, journalData("kept", "dropped")))
	one.Entries, one.Stage, one.Quarantine, one.Reviews = 3, rollout.StageHalted, journalQuarantine(), journalReviews()
	require.NoError(t, j.Append(ctx, one, journalData("", "three\x00")))
	if trimmer, ok := j.(rollout.Trimmer); ok {
		require.NoError(t, trimmer.Trim(ctx, gone.Key, 1))
		gone.Entries = 1
	}
	for range 3 {
		j = h.Reopen(t, j)
		requireRecord(t, j, one, "plan", "one", "", "three\x00")
		requireRecord(t, j, two, "")
		require.Equal(t, []string{"acme:q1", "acme:trimmed", "acme/berlin:q1"}, journalList(t, j, rollout.HeadQuery{}))
	}
	require.ErrorIs(t, j.Create(ctx, two, nil, nil), rollout.ErrExists)
	one.Entries = 4
	require.NoError(t, j.Append(ctx, one, journalData("four")))
	j = h.Reopen(t, j)
	requireRecord(t, j, one, "plan", "one", "", "three\x00", "four")
}

func journalContext(t *testing.T, h JournalHarness) {
	ctx, j := journalContextFor(t), h.New(t)
	head := journalHeadOf("acme", "q1", 3)
	require.NoError(t, j.Create(ctx, head, []byte("plan"), journalData("one", "two", "three")))
	over, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, j.Create(over, journalHeadOf("acme", "q2", 0), nil, nil), context.Canceled)
	require.ErrorIs(t, j.Append(over, journalHeadOf("acme", "q1", 4), journalData("four")), context.Canceled)
	_, err := j.Load(over, head.Key)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, journalEnd(t, j.Heads(over, rollout.HeadQuery{})), context.Canceled)
	if trimmer, ok := j.(rollout.Trimmer); ok {
		require.ErrorIs(t, trimmer.Trim(over, head.Key, 2), context.Canceled)
	}
	require.Equal(t, []string{"acme:q1"}, journalList(t, j, rollout.HeadQuery{}))
	requireRecord(t, j, head, "plan", "one", "two", "three")

	during, cancel := context.WithCancel(ctx)
	r, err := j.Load(during, head.Key)
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, journalEnd(t, r.Entries), context.Canceled, "entries that are asked for too late")
}
