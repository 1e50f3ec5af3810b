package rollouttest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// FuzzMachine reads bytes as signals, sensible ones and senseless ones. Nothing panics, every rule holds, and the journal
// replays to the same machine.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x01\x02\x00\x02\x00\x04\x00\x03\x04\x01\x03\x01\x00\x01\x00"))
	for seed := range uint64(8) {
		d := dice(seed)
		data := make([]byte, 120)
		for i := range data {
			data[i] = byte(d.upTo(256))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 || len(data) > 400 {
			return
		}
		runFuzzed(t, data, true)
	})
}

// The same with bytes that are drawn: a fuzzer's workers seldom get far into the life of a rollout.
func TestSenselessSignalsKeepTheRules(t *testing.T) {
	t.Parallel()
	for seed := range sweep(t, 1000) {
		d := dice(seed + 3e6)
		data := make([]byte, 30+d.upTo(600))
		for i := range data {
			data[i] = byte(d.upTo(256))
		}
		runFuzzed(t, data, true)
	}
}

func runFuzzed(t *testing.T, data []byte, others bool) {
	fz := newFuzzed(t, data[0], data[1])
	fz.others = others
	for data = data[2:]; len(data) >= 3 && len(fz.entries) < 200; data = data[3:] {
		fz.step(fz.signal(data[0], data[1], data[2]))
	}
	fz.replay()
}

type fuzzed struct {
	t       *testing.T
	plan    rollout.Plan
	m       *rollout.Machine
	audit   *rollouttest.Auditor
	entries [][]byte
	now     time.Time
	others  bool // another rollout works on the devices as well
}

func newFuzzed(t *testing.T, seed, devices byte) *fuzzed {
	d := dice(seed)
	plan := randomPlan(t, &d, "q1", 1+int(devices%9))
	for i := range plan.Policy.Budgets {
		plan.Policy.Budgets[i].Rate = policy.Rate{} // here is no agenda, which sees to it
	}
	m, err := rollout.NewMachine(plan)
	require.NoError(t, err)
	audit, err := rollouttest.NewAuditor(&plan)
	require.NoError(t, err)
	fz := &fuzzed{t: t, plan: plan, m: m, audit: audit, now: plan.At}
	fz.step(rollout.Begin{At: fz.now})
	return fz
}

func (fz *fuzzed) signal(op, a, b byte) rollout.Signal {
	device := int32(a) % int32(len(fz.plan.Devices)+1) // one too many
	at := fz.now
	switch op % 10 {
	case 0:
		fz.now = fz.now.Add(time.Duration(a) * 7 * time.Minute)
		return rollout.Tick{At: fz.now}
	case 1:
		if next, ok := fz.m.Next(); ok && next.After(fz.now) {
			fz.now = next
		}
		return rollout.Tick{At: fz.now}
	case 2:
		return rollout.Granted{At: at, Devices: fz.m.Wanted(at, int(a%4))}
	case 3:
		return rollout.Granted{At: at, Devices: []int32{device, int32(b) - 2, device}}
	case 4, 5:
		r := rollout.TaskReport{Handle: rollout.Handle{Device: device, Seq: uint32(b >> 4)},
			Report: rollout.Report{Phase: rollout.Phase(b % 7), Fault: patch.Fault(a >> 4), Reboot: patch.Tri(b >> 6)}}
		if task, ok := fz.m.Task(device); ok && op%10 == 4 {
			r.Handle = task.Handle
		}
		if !fz.others {
			return rollout.Reported{At: at, Reports: []rollout.TaskReport{r, r}}
		}
		if b%3 == 0 {
			r.BootID = "b1"
		}
		return rollout.Reported{At: at, Reports: []rollout.TaskReport{r, r}, Sharers: []rollout.Sharer{
			{Device: device, By: rollout.Key{Tenant: "acme", ID: "q2"}, Takes: time.Duration(a) * time.Minute}, {Device: -1}}}
	case 6:
		request, decision := "q1", policy.Decision{Ruling: policy.Ruling(a % 4), By: "hans"}
		for action := range fz.m.Pending() {
			if ask, ok := action.(rollout.Ask); ok {
				request, decision.Digest = ask.Request.ID, ask.Request.Digest
			}
		}
		return rollout.Decided{At: at, Request: request, Decision: decision}
	case 7:
		c := rollout.Command{Do: rollout.Do(b % 13), By: "inge", Force: b > 127, Reason: "x", Ring: fz.plan.Rings[int(a)%len(fz.plan.Rings)].Name,
			Device: "nobody", Patch: fz.plan.Contents[0].Patches[0].ID}
		if b > 250 {
			c.Do = rollout.DoWithdraw
		}
		if int(device) < len(fz.plan.Devices) {
			c.Device = fz.plan.Devices[device]
		}
		return rollout.Commanded{At: at, Command: c}
	case 8:
		return rollout.Seen{At: at, Devices: []int32{device, device}}
	}
	if fz.others && b >= 128 {
		boots := []string{"b1", "b2"}
		return rollout.Restarted{At: at, By: rollout.Key{Tenant: "acme", ID: "q2"}, Devices: []int32{device, int32(b) - 2}, Boots: []string{boots[b%2], boots[a%2]}}
	}
	fz.replay()
	return rollout.TakenOver{At: at, By: "host2"}
}

func (fz *fuzzed) step(s rollout.Signal) {
	b, err := fz.m.Step(s)
	if errors.Is(err, rollout.ErrCommand) || errors.Is(err, rollout.ErrFinal) {
		return
	}
	require.NoError(fz.t, err, "%+v", s)
	if !b.Empty() {
		fz.entries = append(fz.entries, rollout.EncodeBatch(nil, b))
	}
	require.NoError(fz.t, fz.audit.Batch(b), "%T %+v", s, s)
	require.NoError(fz.t, fz.audit.Machine(fz.m), "%T %+v", s, s)
	again, err := fz.m.Step(rollout.Tick{At: fz.now})
	require.NoError(fz.t, err)
	require.True(fz.t, again.Empty(), "a tick at the same instant decides more: %+v", again.Events)
	if next, ok := fz.m.Next(); ok {
		require.True(fz.t, next.After(fz.now), "Next is %s, now is %s", next, fz.now)
	}
}

// replay goes on with a machine that was made from the journal, which must be like the one before.
func (fz *fuzzed) replay() {
	m, _, err := rollout.Replay(fz.plan, func(yield func([]byte, error) bool) {
		for _, e := range fz.entries {
			if !yield(e, nil) {
				return
			}
		}
	})
	require.NoError(fz.t, err)
	_, err = m.Step(rollout.Tick{At: fz.m.Now()})
	require.NoError(fz.t, err)
	require.Empty(fz.t, cmp.Diff(fz.m.Status(), m.Status()))
	require.Equal(fz.t, slices.Collect(fz.m.Pending()), slices.Collect(m.Pending()))
	require.Equal(fz.t, append([]int32{}, fz.m.Wanted(fz.now, 0)...), append([]int32{}, m.Wanted(fz.now, 0)...))
	next, _ := fz.m.Next()
	again, _ := m.Next()
	require.Equal(fz.t, next, again)
	for i, d := range fz.plan.Devices {
		require.Equal(fz.t, fz.m.Device(i), m.Device(i))
		require.Equal(fz.t, fz.m.Explain(inventory.DeviceID(d), fz.now), m.Explain(inventory.DeviceID(d), fz.now))
	}
	fz.m = m
}
