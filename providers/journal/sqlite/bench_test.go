package sqlite

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
)

// The benchmarks ask what it costs to store that a device has reported: 200 bytes, as measured with real events. Compare
// the column "ns/event".
const eventBytes = 200

// One device reports, then the next: every event waits for the disk alone.
func BenchmarkOneEventAtATime(b *testing.B) {
	j := openAt(b, filepath.Join(b.TempDir(), "journal.db"))
	h := benchHead(0)
	require.NoError(b, j.Create(b.Context(), h, nil, nil))
	event := bytes.Repeat([]byte("x"), eventBytes)
	for b.Loop() {
		h.Entries++
		require.NoError(b, j.Append(b.Context(), h, [][]byte{event}))
	}
	perEvent(b, 1)
}

// A thousand devices of one rollout report at once. The machine has decided about all of them before it writes: one entry of
// 25 bytes for each.
func BenchmarkThousandAtOnceOneRollout(b *testing.B) {
	j := openAt(b, filepath.Join(b.TempDir(), "journal.db"))
	h := benchHead(0)
	require.NoError(b, j.Create(b.Context(), h, nil, nil))
	batch := bytes.Repeat([]byte("x"), 25*1000)
	for b.Loop() {
		h.Entries++
		require.NoError(b, j.Append(b.Context(), h, [][]byte{batch}))
	}
	perEvent(b, 1000)
}

// A thousand devices report at once, each to a rollout of its own: a thousand calls that know nothing of each other.
func BenchmarkThousandAtOnceThousandRollouts(b *testing.B) {
	const n = 1000
	j := openAt(b, filepath.Join(b.TempDir(), "journal.db"))
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := j.Create(b.Context(), benchHead(i), nil, nil); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	event := bytes.Repeat([]byte("x"), eventBytes)
	for count := uint64(1); b.Loop(); count++ {
		for i := range n {
			all.Go(func() {
				h := benchHead(i)
				h.Entries = count
				if err := j.Append(b.Context(), h, [][]byte{event}); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
	perEvent(b, n)
}

// A journal of 10,000 entries of 200 bytes is read from end to end.
func BenchmarkLoad(b *testing.B) {
	const n = 10_000
	j := openAt(b, filepath.Join(b.TempDir(), "journal.db"))
	h := benchHead(0)
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = bytes.Repeat([]byte("x"), eventBytes)
	}
	h.Entries = n
	require.NoError(b, j.Create(b.Context(), h, nil, entries))
	for b.Loop() {
		r, err := j.Load(b.Context(), h.Key)
		require.NoError(b, err)
		read := 0
		for _, err := range r.Entries {
			require.NoError(b, err)
			read++
		}
		require.Equal(b, n, read)
	}
	perEvent(b, n)
}

func benchHead(i int) rollout.Head {
	return rollout.Head{Key: rollout.Key{Tenant: "acme", ID: rollout.ID(fmt.Sprintf("q%04d", i))}, Stage: rollout.StageActive}
}

func perEvent(b *testing.B, events int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
}
