package runner_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// agents is a runner whose devices ask for their work themselves.
func agents(f *memory.Fleet, j rollout.Journal) runner.Config {
	cfg := config(f, j)
	cfg.Deployer = providers.Pulled{}
	return cfg
}

func tasksFor(t *testing.T, r *runner.Runner, tenant inventory.Tenant, d inventory.DeviceID, lease time.Duration) (ids []rollout.TaskID) {
	t.Helper()
	tasks, err := r.NextTasks(t.Context(), tenant, d, lease)
	require.NoError(t, err)
	for _, x := range tasks {
		ids = append(ids, x.ID)
	}
	return ids
}

func done(t *testing.T, r *runner.Runner, id rollout.TaskID) {
	t.Helper()
	require.NoError(t, r.Report(t.Context(), id, rollout.Report{Phase: rollout.PhaseSucceeded}))
}

const install1, verify2 = rollout.TaskID("acme:q1/all/dev-000/install/1"), rollout.TaskID("acme:q1/all/dev-000/verify/2")

func TestAnAgentAsksForItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 3)
		r := newRunner(t, agents(f, j))
		stop := run(t, r)
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour), "there is no rollout")
		begin(t, r, key("q1"), all())
		synctest.Wait()
		require.Equal(t, []rollout.TaskID{install1}, tasksFor(t, r, "acme", "dev-000", time.Hour))
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour), "it has got it")
		require.Equal(t, []rollout.TaskID{"acme:q1/all/dev-001/install/1"}, tasksFor(t, r, "acme", "dev-001", 0))
		require.Equal(t, []rollout.TaskID{"acme:q1/all/dev-001/install/1"}, tasksFor(t, r, "acme", "dev-001", 0), "without a lease it is given each time")
		pass(time.Hour - time.Second)
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour), "the lease is not over")
		pass(time.Second)
		require.Equal(t, []rollout.TaskID{install1}, tasksFor(t, r, "acme", "dev-000", time.Hour), "the same again")

		require.NoError(t, r.Report(t.Context(), install1, rollout.Report{Phase: rollout.PhaseRunning}))
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour), "it is at it")
		require.ErrorIs(t, stop(), context.Canceled)
		r = start(t, agents(f, j))
		synctest.Wait()
		require.Equal(t, []rollout.TaskID{install1}, tasksFor(t, r, "acme", "dev-000", time.Hour), "leases end with the process")

		done(t, r, install1)
		require.Equal(t, []rollout.TaskID{verify2}, tasksFor(t, r, "acme", "dev-000", time.Hour), "another task at once")
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour))
		done(t, r, verify2)
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour))
		require.Empty(t, tasksFor(t, r, "acme", "nobody", time.Hour))
		require.Empty(t, tasksFor(t, r, "beta", "dev-001", time.Hour))
		for i := 1; i < 3; i++ {
			done(t, r, rollout.TaskID(fmt.Sprintf("acme:q1/all/%s/install/1", dev(i))))
			done(t, r, rollout.TaskID(fmt.Sprintf("acme:q1/all/%s/verify/2", dev(i))))
		}
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 3}, outcomes(ends(t, r, key("q1"))))
		require.Empty(t, tasksFor(t, r, "acme", "dev-000", time.Hour))
	})
}

func TestAnAgentGetsTheTasksOfAllRolloutsOfItsTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 0)
		f.AddDevice(unpatched("acme/berlin", "ada"), unpatched("acme/paris", "bob"), unpatched("acme/berlin", "cyd", "curl"))
		r := start(t, agents(f, new(memjournal.Journal)))
		berlin := rollout.Key{Tenant: "acme/berlin", ID: "b1"}
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, berlin, only("curl", all()))
		synctest.Wait()
		ada, cyd := rollout.TaskID("acme:q1/all/ada/install/1"), rollout.TaskID("acme/berlin:b1/all/cyd/install/1")
		require.Equal(t, []rollout.TaskID{ada}, tasksFor(t, r, "acme/berlin", "ada", 0))
		require.Equal(t, []rollout.TaskID{cyd}, tasksFor(t, r, "acme/berlin", "cyd", 0))
		require.Equal(t, []rollout.TaskID{cyd}, tasksFor(t, r, "acme", "cyd", 0), "somebody above may ask for it")
		require.Empty(t, tasksFor(t, r, "acme/berlin", "bob", 0), "bob is of Paris")
		require.Empty(t, tasksFor(t, r, "acme/paris", "ada", 0), "the ada of Paris is another one")
		require.Empty(t, tasksFor(t, r, "acme/paris", "cyd", 0))
		require.Empty(t, tasksFor(t, r, "acme/ber", "ada", 0))

		// The ada of Paris has nothing to do with what is unreachable in Berlin, either.
		require.NoError(t, r.Report(t.Context(), ada, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Unreachable}))
		require.NoError(t, r.Seen(t.Context(), "acme/paris", "ada"))
		synctest.Wait()
		require.Empty(t, tasksFor(t, r, "acme/paris", "ada", 0))
		x, err := r.Explain(t.Context(), key("q1"), "ada")
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(x.Reasons), "unreachable since")
		require.NoError(t, r.Seen(t.Context(), "acme/berlin", "ada"))
		synctest.Wait()
		require.Equal(t, []rollout.TaskID{"acme:q1/all/ada/install/2"}, tasksFor(t, r, "acme/berlin", "ada", 0))
	})
}

func TestSeenWakesWhoIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		online := false
		f.Behave = func(d inventory.DeviceID, _ rollout.Task) memory.Behaviour {
			return memory.Behaviour{Offline: d == "dev-001" && !online}
		}
		begin0 := time.Now()
		r := start(t, config(f, new(memjournal.Journal)))
		begin(t, r, key("q1"), all())
		pass(90 * time.Minute)
		online = true
		require.NoError(t, r.Seen(t.Context(), "acme", "dev-000"), "nobody waits for it")
		require.NoError(t, r.Seen(t.Context(), "acme", "nobody"))
		require.NoError(t, r.Seen(t.Context(), "beta", "dev-001"))
		synctest.Wait()
		require.Zero(t, f.Installs("dev-001"))
		require.NoError(t, r.Seen(t.Context(), "acme", "dev-001"))
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.Equal(t, 90*time.Minute, time.Since(begin0), "it did not wait for the next hour")
		require.NoError(t, r.Seen(t.Context(), "acme", "dev-001"), "it is over")
	})
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 2)
		r := start(t, agents(f, j))
		begin(t, r, key("q1"), all())
		synctest.Wait()
		written := func() int {
			_, batches := history(t, j, key("q1"))
			return len(batches)
		}
		failed := rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Permanent}
		ok := rollout.Report{Phase: rollout.PhaseSucceeded}
		before := written()
		for id, want := range map[rollout.TaskID]string{
			"":                                `task ID ""`,
			"q1/all/dev-000/install/1":        "no colon after the tenant",
			"acme:q1/all/dev-000/install/x":   "the count is no number",
			"acme:q1/all/dev-000/explode/1":   "explode",
			"acme:q1/all/dev-777/install/1":   "the device is not in the plan",
			"acme:q1/all/dev-000/reboot/1":    "the device is at acme:q1/all/dev-000/install/1",
			"acme:q1/other/dev-000/install/1": "the device is at acme:q1/all/dev-000/install/1",
			"beta:q1/all/dev-000/install/1":   "not found",
			"acme:q2/all/dev-000/install/1":   "not found",
			"acme/x:q1/all/dev-000/install/1": "not found",
		} {
			require.ErrorContains(t, r.Report(t.Context(), id, failed), want, "%q", id)
		}
		require.NoError(t, r.Report(t.Context(), "acme:q1/all/dev-000/install/99", ok), "of a task that was never begun: ignored")
		require.NoError(t, r.Report(t.Context(), install1, rollout.Report{}), "not known: ignored")
		require.Equal(t, before, written())

		done(t, r, install1)
		synctest.Wait()
		require.Equal(t, before+2, written(), "it has succeeded, and the next task is queued")
		before = written()
		require.NoError(t, r.Report(t.Context(), install1, failed), "a contradiction is recorded and changes nothing")
		require.Equal(t, before+1, written())
		for range 100 {
			done(t, r, install1)
		}
		require.LessOrEqual(t, written(), before+16, "a device that repeats itself does not fill the journal")
		for range 3 {
			done(t, r, verify2)
		}
		done(t, r, "acme:q1/all/dev-001/install/1")
		done(t, r, "acme:q1/all/dev-001/verify/2")
		s := ends(t, r, key("q1"))
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 2}, outcomes(s))

		before = written()
		const verify2 = rollout.TaskID("acme:q1/all/dev-001/verify/2")
		done(t, r, verify2)
		require.Equal(t, before, written(), "it says so again")
		require.NoError(t, r.Report(t.Context(), verify2, failed), "although it is over")
		require.Equal(t, before+1, written())
		m, _ := history(t, j, key("q1"))
		require.Equal(t, outcomes(s), outcomes(m.Status()), "what is settled stays so")
		h, _ := entries(t, j, key("q1"))
		require.Equal(t, rollout.StageDone, h.Stage)
	})
}

// A thousand reports at the same time are all written down, each once.
func TestReportsFromManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		j := new(memjournal.Journal)
		f := fleet(nil, n)
		r := start(t, agents(f, j))
		p := begin(t, r, key("q1"), all())
		synctest.Wait()
		errs := make(chan error)
		for _, d := range p.Devices {
			go func() {
				tasks, err := r.NextTasks(t.Context(), "acme", d, time.Hour)
				if err == nil && len(tasks) != 1 {
					err = fmt.Errorf("%s has %d tasks", d, len(tasks))
				}
				if err == nil {
					err = r.Report(t.Context(), tasks[0].ID, rollout.Report{Phase: rollout.PhaseSucceeded})
				}
				if err == nil {
					err = r.Report(t.Context(), rollout.NewTaskID(key("q1"), "all", d, rollout.OpVerify, 2), rollout.Report{Phase: rollout.PhaseSucceeded})
				}
				errs <- err
			}()
		}
		for range n {
			require.NoError(t, <-errs)
		}
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: n}, outcomes(ends(t, r, key("q1"))))
		_, batches := history(t, j, key("q1"))
		answered, _ := events[rollout.Answered](batches)
		reports := 0
		for _, a := range answered {
			for _, x := range a.Reports {
				if x.Phase.Last() {
					reports++
				}
			}
		}
		require.Equal(t, 2*n, reports)
	})
}

func TestDecideAndRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 4)
		r := newRunner(t, config(f, j))
		stop := run(t, r)
		p := approves(policy.Ring{Name: "test", Share: 5000, Approval: true}, policy.Ring{Name: "broad", Rest: true, Approval: true})
		begin(t, r, key("q1"), p)
		request := func(r *runner.Runner) policy.Request {
			synctest.Wait()
			qs, err := r.Requests(t.Context(), key("q1"))
			require.NoError(t, err)
			require.Len(t, qs, 1)
			return qs[0]
		}
		q := request(r)
		require.Equal(t, "acme:q1/test/approval/1", q.ID)
		require.NoError(t, r.Decide(t.Context(), key("q1"), "acme:q1/other/approval/1", yes("hans", q)), "not open: ignored")
		require.NoError(t, r.Decide(t.Context(), key("q1"), q.ID, yes("olga", q)), "recorded, and refused")
		require.Equal(t, q, request(r))
		require.Empty(t, f.Log())
		require.NoError(t, r.Decide(t.Context(), key("q1"), q.ID, yes("hans", q)))
		q = request(r)
		require.Equal(t, "acme:q1/broad/approval/1", q.ID)
		require.ErrorIs(t, stop(), context.Canceled)

		// Nobody drives it now: the answer waits in the journal.
		r = newRunner(t, config(f, j))
		require.Equal(t, q, request(r))
		require.NoError(t, r.Decide(t.Context(), key("q1"), q.ID, yes("hans", q)))
		run(t, r)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		qs, err := r.Requests(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Empty(t, qs)
		_, err = r.Requests(t.Context(), key("q7"))
		require.ErrorIs(t, err, rollout.ErrNotFound)
		require.ErrorIs(t, r.Decide(t.Context(), key("q7"), q.ID, yes("hans", q)), rollout.ErrNotFound)
	})
}

// What no agent has fetched is not begun any more once somebody has stopped it.
func TestAnAgentGetsNothingToInstallThatWasStopped(t *testing.T) {
	for name, c := range map[string]rollout.Command{
		"pause":       {Do: rollout.DoPause},
		"halt":        {Do: rollout.DoHalt},
		"stop":        {Do: rollout.DoStop},
		"cancel":      {Do: rollout.DoCancel},
		"undo":        {Do: rollout.DoUndo},
		"undo device": {Do: rollout.DoUndoDevice, Device: "dev-000"},
		"withdraw":    {Do: rollout.DoWithdraw, Patch: fix("openssl").ID},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 2)
				r := start(t, agents(f, new(memjournal.Journal)))
				begin(t, r, key("q1"), all())
				synctest.Wait()
				c.By, c.Reason = "inge", "printers burn"
				require.NoError(t, r.Command(t.Context(), key("q1"), c))
				hours := 20 // also when its time has run out
				if c.Do == rollout.DoPause {
					hours = 2
				}
				for range hours {
					for _, id := range tasksFor(t, r, "acme", "dev-000", time.Hour) {
						task, err := rollout.ParseTaskID(id)
						require.NoError(t, err)
						require.NotEqual(t, rollout.OpInstall, task.Op, id)
						done(t, r, id)
					}
					pass(time.Hour)
				}
				if c.Do != rollout.DoPause {
					return
				}
				require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoResume, By: "inge"}))
				synctest.Wait()
				require.Equal(t, []rollout.TaskID{install1}, tasksFor(t, r, "acme", "dev-000", time.Hour))
			})
		})
	}
}
