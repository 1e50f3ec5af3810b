package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/rollout"
)

// A host does with one rollout what every host does: step, encode, append.
type host struct {
	journal *sqlite.Journal
	machine *rollout.Machine
	head    rollout.Head
}

// hosts are made with new rollouts of these devices, all of them running, which the journal knows.
func hosts(tb testing.TB, j *sqlite.Journal, n int, first *int, ids []inventory.DeviceID) []*host {
	all := make([]*host, n)
	var created sync.WaitGroup
	for i := range all {
		*first++
		in := input(ids, everyone())
		in.ID = rollout.ID(fmt.Sprintf("q%07d", *first))
		p, err := rollout.NewPlan(in)
		require.NoError(tb, err)
		h := &host{journal: j, machine: issued(tb, p), head: rollout.Head{Key: p.Key, Stage: rollout.StageActive, Created: start()}}
		all[i] = h
		created.Go(func() {
			if err := j.Create(tb.Context(), h.head, []byte("plan"), nil); err != nil {
				tb.Error(err)
			}
		})
	}
	created.Wait()
	return all
}

func (h *host) report(tb testing.TB, reports []rollout.TaskReport) {
	b, err := h.machine.Step(rollout.Reported{At: start(), Reports: reports})
	if err != nil {
		tb.Error(err)
	}
	h.head.Entries++
	h.head.Stage, h.head.Updated = h.machine.Stage(), b.At
	if err := h.journal.Append(tb.Context(), h.head, [][]byte{rollout.EncodeBatch(nil, b)}); err != nil {
		tb.Error(err)
	}
}

// journaling measures what it takes until the reports of a thousand devices are decided upon and on the disk: as one entry,
// each alone, each alone in a plain file without a database, and each in a rollout of its own.
func journaling(tb testing.TB) *contest {
	j, err := sqlite.Open(tb.Context(), sqlite.Config{Path: filepath.Join(tb.TempDir(), "journal.db")})
	require.NoError(tb, err)
	file, err := os.Create(filepath.Join(tb.TempDir(), "plain.log"))
	require.NoError(tb, err)
	tb.Cleanup(func() {
		require.NoError(tb, j.Close())
		require.NoError(tb, file.Close())
	})

	ids, reports := uuids(thousand), successes(thousand, 1)
	alone := []rollout.TaskReport{{Handle: rollout.Handle{Device: 0, Seq: 1}, Report: rollout.Report{Phase: rollout.PhaseSucceeded}}}
	made := 0
	var hs []*host
	single := func() { hs = hosts(tb, j, 1, &made, ids) }
	return &contest{
		name:  "Reports of 1,000 devices, until they are on the disk",
		waits: true,
		sides: []side{
			{name: "an fsync for each", per: thousand, setup: single, run: func() {
				for i := range reports {
					b, err := hs[0].machine.Step(rollout.Reported{At: start(), Reports: reports[i : i+1]})
					require.NoError(tb, err)
					_, err = file.Write(rollout.EncodeBatch(nil, b))
					require.NoError(tb, err)
					require.NoError(tb, file.Sync())
				}
			}},
			{name: "an entry for each", per: thousand, setup: single, run: func() {
				for i := range reports {
					hs[0].report(tb, reports[i:i+1])
				}
			}},
			{name: "one entry", per: thousand, setup: single, run: func() { hs[0].report(tb, reports) }},
			{name: "1,000 rollouts at once", per: thousand, setup: func() { hs = hosts(tb, j, thousand, &made, ids[:1]) }, run: func() {
				var all sync.WaitGroup
				for _, h := range hs {
					all.Go(func() { h.report(tb, alone) })
				}
				all.Wait()
			}},
		},
		goals: []goal{
			{"one entry", "an entry for each", 1. / 50}, {"one entry", "an fsync for each", 1. / 50},
			{"1,000 rollouts at once", "an entry for each", 1. / 5}, {"1,000 rollouts at once", "an fsync for each", 0},
		},
	}
}

func BenchmarkJournal(b *testing.B) { bench(b, journaling) }
