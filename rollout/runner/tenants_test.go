package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// Two tenants under one runner, with devices of the same IDs and a rollout of the same ID: mine is acted on, and theirs must
// not be.
type two struct {
	t            *testing.T
	r            *runner.Runner
	j            *memjournal.Journal
	mine, theirs rollout.Key
	before       [][]byte
}

// world makes such tenants, strangers or sisters. Every installation takes an hour, and where the ring asks for leave nothing is begun.
func world(t *testing.T, mine, theirs inventory.Tenant, ring policy.Ring) *two {
	t.Helper()
	w := &two{t: t, j: new(memjournal.Journal), mine: rollout.Key{Tenant: mine, ID: "q1"}, theirs: rollout.Key{Tenant: theirs, ID: "q1"}}
	f := fleet(nil, 0)
	f.Behave = behave(memory.Behaviour{Latency: time.Hour})
	for i := range 8 {
		f.AddDevice(unpatched(mine, dev(i)), unpatched(theirs, dev(i)))
	}
	w.r = start(t, config(f, w.j))
	ring.Name, ring.Rest = "all", true
	for _, k := range []rollout.Key{w.mine, w.theirs} {
		p := approves(ring)
		p.Health.Metrics = []policy.Metric{{Name: "load"}}
		begin(t, w.r, k, p)
	}
	w.settle()
	return w
}

// settle lets everything come to rest, and remembers how they stand.
func (w *two) settle() {
	w.t.Helper()
	synctest.Wait()
	_, w.before = entries(w.t, w.j, w.theirs)
}

// untouched fails if anything was written down for them since then.
func (w *two) untouched() {
	w.t.Helper()
	synctest.Wait()
	_, after := entries(w.t, w.j, w.theirs)
	require.Equal(w.t, w.before, after, "%s is acted on in place of %s", w.theirs, w.mine)
}

// written returns how many entries mine has.
func (w *two) written() int {
	w.t.Helper()
	synctest.Wait()
	_, all := entries(w.t, w.j, w.mine)
	return len(all)
}

func (w *two) requests(k rollout.Key) []policy.Request {
	w.t.Helper()
	qs, err := w.r.Requests(w.t.Context(), k)
	require.NoError(w.t, err)
	return qs
}

func (w *two) task(k rollout.Key) rollout.Task {
	w.t.Helper()
	m, _ := history(w.t, w.j, k)
	task, ok := m.Task(0)
	require.True(w.t, ok)
	return task
}

// emergency lets one person open a ring that takes two.
func (w *two) emergency(k rollout.Key) {
	w.t.Helper()
	q := w.requests(k)[0]
	d := yes("hans", q)
	d.Emergency = &policy.Emergency{Reason: "worm", ReviewDue: time.Now().Add(24 * time.Hour)}
	require.NoError(w.t, w.r.Decide(w.t.Context(), k, q.ID, d))
	synctest.Wait()
	require.Empty(w.t, w.requests(k))
}

// Every exported call that takes a tenant, a key or what has one in it: it acts on that tenant alone, and answers with nothing
// of the other.
func TestTenantsAreKeptApart(t *testing.T) {
	free, asks := policy.Ring{}, policy.Ring{Approval: true}
	urgent := policy.Ring{Need: policy.Need{Quorum: 2, Emergency: true}}
	each := func(ring policy.Ring, check func(t *testing.T, w *two)) func(*testing.T) {
		return func(t *testing.T) {
			for _, p := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}} {
				for i := range p {
					synctest.Test(t, func(t *testing.T) { check(t, world(t, p[i], p[1-i], ring)) })
				}
			}
		}
	}
	tenancy.Cases(t, map[string]func(*testing.T){
		"New": each(free, func(t *testing.T, w *two) { // one runner, whose Config names no tenant: what it began is where it belongs
			for _, k := range []rollout.Key{w.mine, w.theirs} {
				require.Equal(t, k.Tenant, w.task(k).Tenant)
			}
		}),
		"Runner.Plan": each(free, func(t *testing.T, w *two) {
			k := rollout.Key{Tenant: w.mine.Tenant, ID: "q2"}
			p := planned(t, w.r, k, all())
			require.Len(t, p.Devices, 8)
			for d := range p.Devices {
				require.Equal(t, w.mine.Tenant, p.TenantOf(d))
			}
			_, err := w.r.Plan(t.Context(), runner.PlanRequest{Key: rollout.Key{Tenant: "nobody", ID: "q1"}, Policy: all(), By: "olga"})
			require.ErrorIs(t, err, rollout.ErrNothing)
			w.untouched()
		}),
		"Runner.Start": each(free, func(t *testing.T, w *two) {
			p := planned(t, w.r, rollout.Key{Tenant: w.mine.Tenant, ID: "q2"}, all())
			p.Tenant = w.theirs.Tenant // whoever swaps the tenant of a plan that was made
			require.ErrorContains(t, w.r.Start(t.Context(), p), "neither")
			p = planned(t, w.r, rollout.Key{Tenant: w.mine.Tenant, ID: "q2"}, all())
			p.Tenants = []inventory.Tenant{w.theirs.Tenant} // or that of its devices
			require.ErrorContains(t, w.r.Start(t.Context(), p), "neither")
			p = planned(t, w.r, w.mine, all())
			require.ErrorIs(t, w.r.Start(t.Context(), p), rollout.ErrExists)
			w.untouched()
		}),
		"Runner.Command": each(free, func(t *testing.T, w *two) {
			require.NoError(t, w.r.Command(t.Context(), w.mine, rollout.Command{Do: rollout.DoHalt, By: "hans", Reason: "x"}))
			w.untouched()
			s, _, err := w.r.Status(t.Context(), w.mine)
			require.NoError(t, err)
			require.Equal(t, rollout.StageHalted, s.Stage)
		}),
		"Runner.Join": each(free, func(t *testing.T, w *two) {
			m, _ := history(t, w.j, w.mine)
			j := rollout.Joiner{Device: "new", Tenant: w.theirs.Tenant, Content: m.Plan().Contents[0], Claim: rollout.ByShare}
			require.ErrorIs(t, w.r.Join(t.Context(), w.mine, j), rollout.ErrJoin, "the policy does not even admit those of its own tenant")
			p := all()
			p.Joiners = policy.JoinersAdmitted
			k := rollout.Key{Tenant: w.mine.Tenant, ID: "q2"}
			require.NoError(t, w.r.Start(t.Context(), planned(t, w.r, k, p)))
			require.ErrorContains(t, w.r.Join(t.Context(), k, j), "neither")
			j.Tenant = w.mine.Tenant
			require.NoError(t, w.r.Join(t.Context(), k, j))
			w.untouched()
		}),
		"Runner.Leave": each(free, func(t *testing.T, w *two) {
			x := rollout.Departure{Device: w.task(w.mine).Device, How: rollout.Moved} // the other has one of this ID, too
			require.NoError(t, w.r.Leave(t.Context(), w.mine.Tenant, x))
			w.untouched()
			m, _ := history(t, w.j, w.mine)
			i, _ := m.Plan().Find(x.Device)
			require.Equal(t, rollout.Moved, m.Device(i).Left)
		}),
		"Runner.Decide": each(asks, func(t *testing.T, w *two) {
			mine, theirs := w.requests(w.mine)[0], w.requests(w.theirs)[0]
			require.NotEqual(t, mine.Digest, theirs.Digest)
			require.NotEqual(t, mine.ID, theirs.ID)
			require.NoError(t, w.r.Decide(t.Context(), w.mine, theirs.ID, yes("hans", theirs)))
			require.NoError(t, w.r.Decide(t.Context(), w.mine, mine.ID, yes("hans", theirs)))
			w.untouched()
			require.Len(t, w.requests(w.mine), 1, "what was approved for them is not approved for us")
			require.NoError(t, w.r.Decide(t.Context(), w.mine, mine.ID, yes("hans", mine)))
			w.untouched()
			require.Empty(t, w.requests(w.mine))
			require.Len(t, w.requests(w.theirs), 1)
		}),
		"Runner.Requests": each(asks, func(t *testing.T, w *two) {
			require.Len(t, w.requests(w.mine), 1)
			require.Equal(t, w.mine.Tenant, w.requests(w.mine)[0].Tenant)
			_, err := w.r.Requests(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"})
			require.ErrorIs(t, err, rollout.ErrNotFound)
		}),
		"Runner.Reviews": each(urgent, func(t *testing.T, w *two) {
			w.emergency(w.theirs)
			reviews, err := w.r.Reviews(t.Context(), w.theirs)
			require.NoError(t, err)
			require.Len(t, reviews, 1)
			reviews, err = w.r.Reviews(t.Context(), w.mine)
			require.NoError(t, err)
			require.Empty(t, reviews)
			_, err = w.r.Reviews(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"})
			require.ErrorIs(t, err, rollout.ErrNotFound)
		}),
		"Runner.ReviewsDue": each(urgent, func(t *testing.T, w *two) {
			w.emergency(w.theirs)
			reviews, err := w.r.ReviewsDue(t.Context(), w.theirs.Tenant)
			require.NoError(t, err)
			require.Len(t, reviews, 1)
			reviews, err = w.r.ReviewsDue(t.Context(), w.mine.Tenant)
			require.NoError(t, err)
			require.Empty(t, reviews)
		}),
		"Runner.Report": each(free, func(t *testing.T, w *two) {
			n, mine := w.written(), w.task(w.mine)
			require.NoError(t, w.r.Report(t.Context(), mine.ID, rollout.Report{Phase: rollout.PhaseSucceeded}))
			w.untouched()
			require.Greater(t, w.written(), n)
			swapped := rollout.NewTaskID(rollout.Key{Tenant: "nobody", ID: "q1"}, "all", mine.Device, mine.Op, mine.Handle.Seq)
			require.ErrorIs(t, w.r.Report(t.Context(), swapped, rollout.Report{Phase: rollout.PhaseSucceeded}), rollout.ErrNotFound)
			w.untouched()
		}),
		"Runner.NextTasks": each(free, func(t *testing.T, w *two) {
			tasks, err := w.r.NextTasks(t.Context(), w.mine.Tenant, dev(0), time.Minute)
			require.NoError(t, err)
			require.Len(t, tasks, 1)
			require.Equal(t, w.mine, tasks[0].Rollout)
			require.Equal(t, w.mine.Tenant, tasks[0].Tenant)
			tasks, err = w.r.NextTasks(t.Context(), "nobody", dev(0), time.Minute)
			require.NoError(t, err)
			require.Empty(t, tasks)
			w.untouched()
		}),
		"Runner.Seen": each(free, func(t *testing.T, w *two) {
			for _, k := range []rollout.Key{w.mine, w.theirs} { // both are waited for
				require.NoError(t, w.r.Report(t.Context(), w.task(k).ID, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Unreachable}))
			}
			w.settle()
			n := w.written()
			m, _ := history(t, w.j, w.mine)
			require.True(t, m.Device(0).Offline)
			require.NoError(t, w.r.Seen(t.Context(), w.mine.Tenant, m.Plan().Devices[0]))
			w.untouched()
			require.Greater(t, w.written(), n)
		}),
		"Runner.Sample": each(free, func(t *testing.T, w *two) {
			n := w.written()
			require.NoError(t, w.r.Sample(t.Context(), w.mine.Tenant, dev(0), rollout.Sample{Metric: "load", Value: 1, Taken: time.Now().Add(-time.Hour)}))
			w.untouched()
			require.Greater(t, w.written(), n)
		}),
		"Runner.Feedback": each(free, func(t *testing.T, w *two) {
			n := w.written()
			require.NoError(t, w.r.Feedback(t.Context(), w.mine, dev(0), rollout.Feedback{By: "eva", Word: rollout.Broke}))
			w.untouched()
			require.Greater(t, w.written(), n)
			err := w.r.Feedback(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"}, dev(0), rollout.Feedback{By: "eva", Word: rollout.Broke})
			require.ErrorIs(t, err, rollout.ErrNotFound)
		}),
		"Runner.Defer": each(free, func(t *testing.T, w *two) {
			_, err := w.r.Defer(t.Context(), w.mine, dev(0), "eva", time.Time{})
			require.ErrorContains(t, err, "no restart of device")
			_, err = w.r.Defer(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"}, dev(0), "eva", time.Time{})
			require.ErrorIs(t, err, rollout.ErrNotFound)
			w.untouched()
		}),
		"Runner.Escalate": each(free, func(t *testing.T, w *two) {
			w.settle()
			m, _ := history(t, w.j, w.mine)
			found := policy.Escalation{Tenant: w.mine.Tenant, Device: m.Plan().Devices[0], Patch: fix("openssl").ID, At: time.Now(),
				Is: policy.Due{Now: true, At: time.Now()}, After: policy.Judgement{Verdict: policy.Approve}}
			require.NoError(t, w.r.Escalate(t.Context(), []policy.Escalation{found}))
			w.untouched()
		}),
		"Runner.Stop": each(free, func(t *testing.T, w *two) {
			stopped, err := w.r.Stop(t.Context(), runner.Emergency{Tenant: w.mine.Tenant, By: "hans"})
			require.NoError(t, err)
			require.Len(t, stopped, 1)
			require.Equal(t, w.mine, stopped[0].Key)
			w.untouched()
			_, err = w.r.Stop(t.Context(), runner.Emergency{Tenant: "nobody", By: "hans"})
			require.NoError(t, err)
			w.untouched()
		}),
		"Runner.Withdraw": each(free, func(t *testing.T, w *two) {
			keys, err := w.r.Withdraw(t.Context(), w.mine.Tenant, fix("openssl").ID, "hans", "x")
			require.NoError(t, err)
			require.Equal(t, []rollout.Key{w.mine}, keys)
			w.untouched()
		}),
		"Runner.Status": each(free, func(t *testing.T, w *two) {
			require.NoError(t, w.r.Command(t.Context(), w.theirs, rollout.Command{Do: rollout.DoHalt, By: "hans", Reason: "x"}))
			s, _, err := w.r.Status(t.Context(), w.mine)
			require.NoError(t, err)
			require.Equal(t, rollout.StageActive, s.Stage)
			_, _, err = w.r.Status(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"})
			require.ErrorIs(t, err, rollout.ErrNotFound)
		}),
		"Runner.Explain": each(free, func(t *testing.T, w *two) {
			require.NoError(t, w.r.Command(t.Context(), w.theirs, rollout.Command{Do: rollout.DoHalt, By: "hans", Reason: "their secret"}))
			x, err := w.r.Explain(t.Context(), w.mine, dev(0))
			require.NoError(t, err)
			for _, reason := range x.Reasons {
				require.NotContains(t, reason.String(), "secret")
				require.NotContains(t, reason.String(), w.theirs.String())
			}
			_, err = w.r.Explain(t.Context(), rollout.Key{Tenant: "nobody", ID: "q1"}, dev(0))
			require.ErrorIs(t, err, rollout.ErrNotFound)
			w.settle()
		}),
		"Runner.Wait": each(free, func(t *testing.T, w *two) {
			require.NoError(t, w.r.Command(t.Context(), w.theirs, rollout.Command{Do: rollout.DoCancel, By: "hans", Reason: "x"}))
			require.Equal(t, rollout.StageDone, ends(t, w.r, w.mine).Stage)
			require.Equal(t, rollout.StageCancelled, ends(t, w.r, w.theirs).Stage)
		}),
		"Runner.Quarantine": each(free, func(t *testing.T, w *two) {
			require.NoError(t, w.r.Command(t.Context(), w.theirs, rollout.Command{Do: rollout.DoUndo, By: "hans", Reason: "x"}))
			ends(t, w.r, w.theirs)
			theirs, err := w.r.Quarantine(t.Context(), w.theirs.Tenant)
			require.NoError(t, err)
			require.NotEmpty(t, theirs)
			mine, err := w.r.Quarantine(t.Context(), w.mine.Tenant)
			require.NoError(t, err)
			require.Empty(t, mine)
		}),
	})
}
