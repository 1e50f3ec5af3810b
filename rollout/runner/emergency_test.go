package runner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// An emergency at acme: everything of acme and below is halted, nothing new begins there, also after a restart, and others go on.
func TestAnEmergencyStopsATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 3, "openssl", "curl")
		f.AddDevice(unpatched("acme/paris", "bob", "curl"), unpatched("other", "dan"))
		f.Behave = func(d inventory.DeviceID, task rollout.Task) memory.Behaviour {
			return memory.Behaviour{Latency: time.Hour, Offline: d == dev(1) && task.Op != rollout.OpUnknown}
		}
		r := newRunner(t, config(f, j))
		stop := run(t, r)
		paris, other := rollout.Key{Tenant: "acme/paris", ID: "p1"}, rollout.Key{Tenant: "other", ID: "o1"}
		slow := all()
		slow.MaxActive = 2
		begin(t, r, key("q1"), only("openssl", slow))
		begin(t, r, paris, only("curl", slow))
		begin(t, r, other, only("openssl", slow))
		late := planned(t, r, key("q2"), only("curl", slow))
		pass(time.Minute)

		_, err := r.Stop(t.Context(), runner.Emergency{Tenant: "acme", By: " "})
		require.ErrorContains(t, err, "By")
		for range 2 {
			stopped, err := r.Stop(t.Context(), runner.Emergency{Tenant: "acme", By: "inge", Reason: "printers burn"})
			require.NoError(t, err)
			require.Len(t, stopped, 2)
			require.Equal(t, key("q1"), stopped[0].Key)
			require.Equal(t, paris, stopped[1].Key)
			for _, s := range stopped {
				require.NoError(t, s.Err)
				require.Equal(t, rollout.StageHalted, s.Stage)
				require.NotEmpty(t, s.Running, "the fleet does not stop what it has begun")
			}
			require.Subset(t, stopped[0].Running, stopped[0].Unreached)
		}
		_, batches := history(t, j, key("q1"))
		staged, _ := events[rollout.Staged](batches)
		require.Equal(t, rollout.Staged{Stage: rollout.StageHalted, Code: "stop", By: "inge", Reason: "printers burn"}, staged[len(staged)-1])
		require.Len(t, staged, 2, "a second call does no harm")
		require.ErrorIs(t, r.Start(t.Context(), late), runner.ErrStopped)

		require.ErrorIs(t, stop(), context.Canceled)
		r = start(t, config(f, j))
		require.ErrorIs(t, r.Start(t.Context(), late), runner.ErrStopped, "the journal remembers")
		s, _, err := r.Status(t.Context(), other)
		require.NoError(t, err)
		require.NotEqual(t, rollout.StageHalted, s.Stage, "other tenants go on")

		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoResume, By: "inge"}))
		require.ErrorIs(t, r.Start(t.Context(), late), runner.ErrStopped, "paris is stopped still, and is acme's")
		require.NoError(t, r.Command(t.Context(), paris, rollout.Command{Do: rollout.DoCancel, By: "inge"}))
		ends(t, r, paris)
		require.NoError(t, r.Start(t.Context(), late))
		require.NoError(t, r.Command(t.Context(), key("q2"), rollout.Command{Do: rollout.DoHalt, By: "inge"}))
		require.NoError(t, r.Start(t.Context(), planned(t, r, key("q3"), only("openssl", slow))), "a halt of one rollout is no emergency")
	})
}

// Devices that get other patches, and other tenants, go on.
func TestAWithdrawnPatchGoesToNobodyAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 6, "openssl", "curl")
		f.AddDevice(unpatched("other", "dan"))
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		r := start(t, config(f, j))
		slow := all()
		slow.MaxActive = 2
		other := rollout.Key{Tenant: "other", ID: "o1"}
		begin(t, r, key("q1"), only("openssl", slow))
		begin(t, r, key("q2"), only("curl", slow))
		begin(t, r, other, only("openssl", slow))
		pass(time.Minute)
		_, err := r.Withdraw(t.Context(), "acme", fix("openssl").ID, "", "x")
		require.ErrorContains(t, err, "nobody")
		keys, err := r.Withdraw(t.Context(), "acme", fix("openssl").ID, "inge", "printers burn")
		require.NoError(t, err)
		require.Equal(t, []rollout.Key{key("q1")}, keys)
		keys, err = r.Withdraw(t.Context(), "acme", fix("openssl").ID, "inge", "again")
		require.NoError(t, err)
		require.Empty(t, keys)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 2, rollout.Skipped: 4}, outcomes(ends(t, r, key("q1"))))
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 6}, outcomes(ends(t, r, key("q2"))))
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, outcomes(ends(t, r, other)))
	})
}

// latecomer is a journal in which something happens just before a rollout is stored.
type latecomer struct {
	*memjournal.Journal
	before func()
}

func (j *latecomer) Create(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
	if f := j.before; f != nil {
		j.before = nil
		f()
	}
	return j.Journal.Create(ctx, h, plan, entries)
}

// An emergency that comes while a rollout is being started stops it too.
func TestAnEmergencyDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		j := &latecomer{Journal: new(memjournal.Journal)}
		r := start(t, config(f, j))
		begin(t, r, key("q1"), only("openssl", all()))
		late := planned(t, r, key("q2"), only("curl", all()))
		j.before = func() {
			_, err := r.Stop(t.Context(), runner.Emergency{Tenant: "acme", By: "inge"})
			require.NoError(t, err)
		}
		require.ErrorIs(t, r.Start(t.Context(), late), runner.ErrStopped)
		pass(time.Minute)
		s, _, err := r.Status(t.Context(), key("q2"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageHalted, s.Stage)
		require.True(t, s.Stopped())
		_, batches := history(t, j.Journal, key("q2"))
		issued, _ := events[rollout.Issued](batches)
		require.Empty(t, issued)
	})
}

// An emergency finds a rollout that was begun while it stopped the others.
func TestAnEmergencyFindsWhatBeginsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		j := &tampered{Journal: new(memjournal.Journal)}
		r := start(t, config(f, j))
		begin(t, r, key("q1"), only("openssl", all()))
		late := planned(t, r, key("q2"), only("curl", all()))
		pass(time.Minute)
		synctest.Wait() // nobody appends now
		j.n = j.appends.Load() + 1
		j.instead = func(now func() error) error {
			require.NoError(t, newRunner(t, config(f, j.Journal)).Start(t.Context(), late))
			return now()
		}
		stopped, err := r.Stop(t.Context(), runner.Emergency{Tenant: "acme", By: "inge"})
		require.NoError(t, err)
		require.Len(t, stopped, 2)
		require.Equal(t, rollout.StageHalted, stopped[1].Stage)
	})
}
