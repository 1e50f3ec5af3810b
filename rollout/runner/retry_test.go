package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

func retry(devices ...inventory.DeviceID) rollout.Command {
	return rollout.Command{Do: rollout.DoRetry, By: "hans", Reason: "mended", Devices: devices}
}

// A person mends a device that has failed and has it tried again: not while its patch is held, nor while another rollout keeps it in
// quarantine, and once only however often the call is repeated. That is in the journal, and a process that takes over knows it.
func TestAPersonHasADeviceTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 4)
		broken, held := true, false
		f.Behave = func(d inventory.DeviceID, task rollout.Task) memory.Behaviour {
			if d == dev(1) && broken {
				return memory.Behaviour{Fault: patch.Permanent, Latency: time.Minute}
			}
			return memory.Behaviour{Latency: time.Minute}
		}
		j := new(memjournal.Journal)
		cfg := config(f, j)
		cfg.Hold = func(_ inventory.Tenant, d inventory.DeviceID, _ *rollout.Content, _ time.Time) (policy.Reason, bool) {
			return policy.Reason{Subject: "H-1"}, held && d == dev(1)
		}
		r := start(t, cfg)
		p := all()
		p.Rings[0].Gate = policy.Gate{}
		begin(t, r, key("q1"), p)
		pass(time.Hour)
		s, _, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 3, rollout.Failed: 1}, outcomes(s))
		require.Equal(t, rollout.StageHalted, s.Stage)

		held = true
		err = r.Command(t.Context(), key("q1"), retry(dev(1)))
		require.ErrorIs(t, err, rollout.ErrCommand)
		require.ErrorContains(t, err, "device dev-001: ")
		held = false
		before, _ := entries(t, j, key("q1"))
		require.ErrorIs(t, r.Command(t.Context(), key("q1"), retry(dev(0))), rollout.ErrCommand, "it has succeeded")
		after, _ := entries(t, j, key("q1"))
		require.Equal(t, before, after, "what is refused is not written down")

		broken = false
		require.NoError(t, r.Command(t.Context(), key("q1"), retry(dev(1))))
		require.ErrorIs(t, r.Command(t.Context(), key("q1"), retry(dev(1))), rollout.ErrUnderWay, "a second call")
		s, _, err = r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, 1, s.Rings[0].Counts.Failed, "until it is known what becomes of it")
		require.Equal(t, 1, s.Rings[0].Counts.Retrying)
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoResume, By: "hans"}))
		x, err := r.Explain(t.Context(), key("q1"), dev(1))
		require.NoError(t, err)
		require.Equal(t, "by-hand", x.Reasons[len(x.Reasons)-1].Code)
		s, err = r.Wait(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageDone, s.Stage)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 4}, outcomes(s))
		require.Equal(t, 1, s.Rings[0].Counts.Retried)

		m, _ := history(t, j, key("q1"))
		i, _ := m.Plan().Find(dev(1))
		d := m.Device(i)
		require.Equal(t, []int{1, 1, 1}, []int{d.Attempts, d.Retried, d.ByHand})
		require.ErrorIs(t, r.Command(t.Context(), key("q1"), retry(dev(1))), rollout.ErrFinal)
	})
}

// What one rollout of a tenant has put into quarantine is not tried again by hand in another.
func TestWhatIsInQuarantineElsewhereIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		f.Behave = behave(memory.Behaviour{Fault: patch.Permanent, Latency: time.Minute})
		r := start(t, config(f, new(memjournal.Journal)))
		p := all()
		p.Rings[0].Gate = policy.Gate{}
		begin(t, r, key("q1"), p)
		pass(time.Hour)
		begin(t, r, key("q2"), p)
		pass(time.Hour)
		require.NoError(t, r.Command(t.Context(), key("q2"), rollout.Command{Do: rollout.DoUndo, By: "hans", Reason: "no sound"}))
		err := r.Command(t.Context(), key("q1"), retry(dev(1)))
		require.ErrorIs(t, err, rollout.ErrCommand)
		require.ErrorContains(t, err, "device dev-001: patch debian:openssl=2 is in quarantine since rollout q2 (no sound): release it first")
		require.NoError(t, r.Command(t.Context(), key("q2"), rollout.Command{Do: rollout.DoRelease, Patch: "debian:openssl=2", By: "hans"}))
		require.NoError(t, r.Command(t.Context(), key("q1"), retry(dev(0), dev(1))))
	})
}
