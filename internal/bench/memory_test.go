package bench

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
)

// heap returns the bytes that are in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first has freed is swept by the second
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// footprint returns how many bytes a device costs in a rollout of a million, with IDs of 24 characters: the IDs, the plan
// and the machine, while every device runs its installation, while every device is being verified, and when all are settled.
func footprint(tb testing.TB) (running, verifying, settled float64) {
	installs, verifies := successes(million, 1), successes(million, 2)
	before := heap()
	each := func() float64 { return float64(heap()-before) / million }
	m := machineOf24(tb)
	running = each()
	report(tb, m, installs, 1000)
	verifying = each()
	report(tb, m, verifies, 1000)
	settled = each()
	require.Equal(tb, rollout.StageDone, m.Stage())
	runtime.KeepAlive(m)
	runtime.KeepAlive(installs)
	runtime.KeepAlive(verifies)
	return running, verifying, settled
}

// machineOf24 leaves nothing alive but a machine, its plan, and the IDs.
func machineOf24(tb testing.TB) *rollout.Machine {
	ids := uuids(million)
	for i := range ids {
		ids[i] = ids[i][:12] + ids[i][24:] // a text of its own, of 24 bytes
	}
	p, err := rollout.NewPlan(input(ids, everyone()))
	require.NoError(tb, err)
	return issued(tb, p)
}

// memoryGoal is the most that a device may cost, in bytes.
const memoryGoal = 200

func decideMemory(t *testing.T, w io.Writer) {
	running, verifying, settled := footprint(t)
	fmt.Fprintf(w, "\n### Memory of a rollout of 1,000,000 devices\n\n| when | bytes per device | goal |\n|---|---|---|\n")
	for _, row := range []struct {
		when  string
		bytes float64
	}{{"all run their installation", running}, {"all are being verified", verifying}, {"all are settled", settled}} {
		fmt.Fprintf(w, "| %s | %.0f | %d |\n", row.when, row.bytes, memoryGoal)
		if row.bytes > memoryGoal { // bytes are not noisy: no slack
			t.Errorf("when %s a device costs %.0f bytes; the goal is %d", row.when, row.bytes, memoryGoal)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	var running, verifying, settled float64
	for b.Loop() {
		running, verifying, settled = footprint(b)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(running, "B/device-running")
	b.ReportMetric(verifying, "B/device-verifying")
	b.ReportMetric(settled, "B/device-settled")
}
