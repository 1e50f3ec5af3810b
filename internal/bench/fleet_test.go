package bench

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

const million = 1_000_000

// random returns a source of random numbers that is the same in every run.
func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// uuids returns n device IDs of 36 characters, each a text of its own, as a driver returns them from a database.
func uuids(n int) []inventory.DeviceID {
	r := random()
	ids := make([]inventory.DeviceID, n)
	for i := range ids {
		var raw [16]byte
		binary.LittleEndian.PutUint64(raw[:], r.Uint64())
		binary.LittleEndian.PutUint64(raw[8:], r.Uint64())
		var b [36]byte
		hex.Encode(b[0:8], raw[0:4])
		hex.Encode(b[9:13], raw[4:6])
		hex.Encode(b[14:18], raw[6:8])
		hex.Encode(b[19:23], raw[8:10])
		hex.Encode(b[24:36], raw[10:16])
		b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
		ids[i] = inventory.DeviceID(b[:])
	}
	return ids
}

// input returns what a plan for these devices is made from: one content, one zone.
func input(ids []inventory.DeviceID, rings ...policy.Ring) rollout.PlanInput {
	in := rollout.PlanInput{
		Key:      rollout.Key{Tenant: "acme", ID: "q1"},
		Policy:   policy.Policy{Name: "standard", Rings: rings},
		At:       start(),
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "debian:DSA-5650-1", Reversal: patch.ReversalReinstall}}}},
		Zones:    []string{"UTC"},
		Targets:  make([]rollout.Target, len(ids)),
	}
	for i, id := range ids {
		in.Targets[i] = rollout.Target{Device: id, Ring: rollout.ByShare}
	}
	return in
}

func start() time.Time { return time.Date(2026, time.November, 24, 22, 0, 0, 0, time.UTC) }

// everyone is a single ring without a limit.
func everyone() policy.Ring { return policy.Ring{Name: "all", Rest: true} }

// issued returns a machine whose every device is running its installation.
func issued(tb testing.TB, p rollout.Plan) *rollout.Machine {
	tb.Helper()
	m, err := rollout.NewMachine(p)
	require.NoError(tb, err)
	_, err = m.Step(rollout.Begin{At: start()})
	require.NoError(tb, err)
	all := make([]int32, len(p.Devices))
	for i := range all {
		all[i] = int32(i)
	}
	_, err = m.Step(rollout.Granted{At: start(), Devices: all})
	require.NoError(tb, err)
	return m
}

// successes returns a report for each device of a fleet of n, in random order, about its task of that number: the first is
// the installation, the second what verifies it.
func successes(n int, task uint32) []rollout.TaskReport {
	reports := make([]rollout.TaskReport, n)
	for i, d := range random().Perm(n) {
		reports[i].Handle = rollout.Handle{Device: int32(d), Seq: task}
		reports[i].Phase = rollout.PhaseSucceeded
	}
	return reports
}

// report brings reports to m, so many at a time, each batch a millisecond after the one before.
func report(tb testing.TB, m *rollout.Machine, reports []rollout.TaskReport, batch int) {
	now := m.Now()
	for at := 0; at < len(reports); at += batch {
		now = now.Add(time.Millisecond)
		b, err := m.Step(rollout.Reported{At: now, Reports: reports[at:min(at+batch, len(reports))]})
		if err != nil || len(b.Events) < 2 {
			tb.Fatalf("reports from %d on: %d events, %v", at, len(b.Events), err)
		}
	}
}
