package rollouttest_test

import (
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// A timeline keeps its own books of the tasks; what it says must fit what the machine says, and the order of things.
func TestTimelinesOfRandomRollouts(t *testing.T) {
	undone, restarted, late := 0, 0, 0
	for seed := range sweep(t, 60) {
		d := dice(seed)
		p := randomPlan(t, &d, "q1", 5+d.upTo(20))
		f := rollouttest.NewFleet(randomFleet(&d, seed, p.At, true))
		results, err := rollouttest.Drive(f, rollouttest.DriveConfig{Seed: seed, Late: 20 * time.Hour, Seen: true}, p)
		require.NoError(t, err)
		res := results[0]
		lines, did, err := rollout.ReadTimeline(p, yielded(res.Entries))
		require.NoError(t, err)
		require.Equal(t, uint64(len(res.Entries)), did.Entries)

		tasks, installs := 0, 0
		for i := range p.Devices {
			m := lines.Device(i)[0]
			tasks += m.Tasks
			last := time.Time{}
			for n, x := range lines.Tries(i) {
				if x.Op == rollout.OpInstall {
					installs++
				}
				require.Equal(t, uint32(n+1), x.Seq, "device %d", i)
				require.False(t, x.Issued.Before(last), "device %d, task %d was issued before the one before had ended", i, n+1)
				require.False(t, x.Ended.IsZero(), "device %d, task %d never ended", i, n+1)
				last = x.Ended
			}
			require.Equal(t, res.Outcomes[m.Device], m.Outcome)
			require.False(t, m.Settled.IsZero(), "%s is %s", m.Device, m.Outcome)
			switch m.Outcome {
			case rollout.Succeeded:
				require.False(t, m.Verified.IsZero(), "%s was never looked at", m.Device)
				require.True(t, inOrder(m.Approved, m.Offered, m.Started, m.Verified, m.Settled), "%+v", m)
			case rollout.RolledBack:
				undone++
				require.True(t, inOrder(m.Offered, m.Started, m.Undone, m.Settled), "%+v", m)
			case rollout.Skipped, rollout.Cancelled:
			default:
				require.True(t, inOrder(m.Offered, m.Started, m.Settled), "%+v", m)
			}
			if !m.Rebooted.IsZero() {
				restarted++
			}
			late += m.Late
		}
		require.Equal(t, res.Tasks, tasks)
		require.Equal(t, installs, sumOf(t, lines, "sum-installs"))

		sums := lines.Results()
		require.Equal(t, len(p.Devices), sums.All.Devices)
		have := make(map[rollout.Outcome]int)
		for _, o := range res.Outcomes {
			have[o]++
		}
		require.Equal(t, have[rollout.Succeeded], sums.All.Succeeded)
		require.Equal(t, have[rollout.Failed]+have[rollout.RolledBack]+have[rollout.RollbackFailed], sums.All.Failed+sums.All.RolledBack+sums.All.Stuck)
		require.Equal(t, have[rollout.Away], sums.All.Away)
		require.Len(t, sums.Rings, len(p.Rings))
		require.Equal(t, sums.All, total(sums.Rings))
		require.Equal(t, sums.All, total(sums.Tenants))
		require.Equal(t, failures(lines), failuresOf(&sums))

		// How the events fell into batches makes no difference.
		apart, err := rollout.NewTimeline(p)
		require.NoError(t, err)
		for _, entry := range res.Entries {
			b, err := rollout.DecodeBatch(entry)
			require.NoError(t, err)
			for _, e := range b.Events {
				require.NoError(t, apart.Add(rollout.Batch{At: b.At, Events: []rollout.Event{e}}))
			}
		}
		require.Empty(t, cmp.Diff(lines.Lines(), apart.Lines()))
	}
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, undone)
	require.NotZero(t, restarted)
	require.NotZero(t, late)
}

// total adds results up by hand.
func total(all []rollout.Result) (sum rollout.Result) {
	for _, r := range all {
		sum.Devices += r.Devices
		sum.Begun += r.Begun
		sum.First += r.First
		sum.Succeeded += r.Succeeded
		sum.NoNeed += r.NoNeed
		sum.Failed += r.Failed
		sum.RolledBack += r.RolledBack
		sum.Stuck += r.Stuck
		sum.Unknown += r.Unknown
		sum.Left += r.Left
		sum.Away += r.Away
	}
	return sum
}

// failures counts the tasks that failed, and the devices of which some did.
func failures(lines *rollout.Timeline) (n [2]int) {
	for i := range lines.Plan().Devices {
		bad := 0
		for _, x := range lines.Tries(i) {
			if x.TimedOut || x.Phase == rollout.PhaseFailed && !x.Fault.Done() {
				bad++
			}
		}
		if n[0] += bad; bad > 0 {
			n[1]++
		}
	}
	return n
}

func failuresOf(r *rollout.Results) (n [2]int) {
	for _, c := range r.Causes {
		n[0] += c.Tries
	}
	return [2]int{n[0], len(r.Failing)}
}

// inOrder says whether those of the times that are told come one after the other.
func inOrder(times ...time.Time) bool {
	last := time.Time{}
	for _, at := range times {
		if at.IsZero() {
			continue
		}
		if at.Before(last) {
			return false
		}
		last = at
	}
	return true
}

// sumOf adds up what the lines say of one kind of thing.
func sumOf(t *testing.T, lines *rollout.Timeline, code string) int {
	t.Helper()
	sum := 0
	for _, l := range lines.Lines() {
		for _, m := range l.Texts {
			if m.Code == code || m.Code == code+"-one" {
				n, err := strconv.Atoi(m.Get("n"))
				require.NoError(t, err)
				sum += n
			}
		}
	}
	return sum
}

func yielded(entries [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}
