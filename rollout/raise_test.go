package rollout_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// escalating is a plan for three devices in one ring, whose failures raise two levels.
func escalating(t testing.TB, k rollout.Key, level, ring string) rollout.Plan {
	t.Helper()
	in := rollout.PlanInput{Key: k, At: morning(),
		Policy: policy.Policy{Name: "p", Rings: []policy.Ring{{Name: ring, Devices: inventory.All(), Gate: policy.Gate{MaxFailed: 10000, Manual: true}}},
			Retry:      policy.Retry{Attempts: 2},
			Escalation: []policy.EscalationLevel{{Name: level, Attempts: 1}, {Name: "boss", Attempts: 2, Failed: 5000, Waiting: policy.Duration(8 * time.Hour)}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
	for _, d := range []inventory.DeviceID{"ada", "bob", "cyd:1/2"} {
		in.Targets = append(in.Targets, rollout.Target{Device: d})
	}
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)
	return p
}

// tickets is a system that opens and closes tickets by the keys of what is raised and cleared, from what a journal holds.
type tickets struct {
	open map[string]bool
	log  []string
}

func (x *tickets) read(t *testing.T, p *rollout.Plan, entry []byte) {
	t.Helper()
	b, err := rollout.DecodeBatch(entry)
	require.NoError(t, err)
	for _, e := range b.Events {
		switch e := e.(type) {
		case rollout.Raised:
			for _, k := range e.Keys(p) {
				require.False(t, x.open[k], "%s is open already", k)
				x.open[k] = true
				x.log = append(x.log, "open "+k)
			}
		case rollout.Cleared:
			for _, k := range e.Keys(p) {
				require.True(t, x.open[k], "%s is not open", k)
				delete(x.open, k)
				x.log = append(x.log, "close "+k)
			}
		}
	}
}

// What is raised for two devices in one event is cleared in two, and every ticket is closed by what has opened it.
func TestATicketIsClosedByTheKeyThatOpenedIt(t *testing.T) {
	p := escalating(t, rollout.Key{Tenant: "acme/berlin", ID: "q1"}, "helpdesk", "canary")
	m, err := rollout.NewMachine(p)
	require.NoError(t, err)
	at := func(hours int) time.Time { return morning().Add(time.Duration(hours) * time.Hour) }
	number := make(map[inventory.DeviceID]int32)
	for i, d := range p.Devices {
		number[d] = int32(i)
	}
	ada, bob, cyd := number["ada"], number["bob"], number["cyd:1/2"]
	report := func(d int32, seq uint32, r rollout.Report) rollout.TaskReport {
		return rollout.TaskReport{Handle: rollout.Handle{Device: d, Seq: seq}, Report: r}
	}
	failed := func(f patch.Fault) rollout.Report { return rollout.Report{Phase: rollout.PhaseFailed, Fault: f} }
	well := rollout.Report{Phase: rollout.PhaseSucceeded}

	x := tickets{open: make(map[string]bool)}
	var journal [][]byte
	for _, s := range []rollout.Signal{
		rollout.Begin{At: at(0)},
		rollout.Granted{At: at(0), Devices: []int32{ada, bob, cyd}},
		rollout.Reported{At: at(0), Reports: []rollout.TaskReport{report(ada, 1, failed(patch.Transient)), report(cyd, 1, failed(patch.Transient)), report(bob, 1, well)}},
		rollout.Reported{At: at(0), Reports: []rollout.TaskReport{report(bob, 2, well)}},
		rollout.Granted{At: at(1), Devices: []int32{ada, cyd}},
		rollout.Reported{At: at(1), Reports: []rollout.TaskReport{report(ada, 2, well), report(cyd, 2, failed(patch.Permanent))}},
		rollout.Reported{At: at(1), Reports: []rollout.TaskReport{report(ada, 3, well)}},
		rollout.Tick{At: at(9)},
		rollout.Commanded{At: at(10), Command: rollout.Command{By: "hans", Do: rollout.DoAcknowledge, Device: "cyd:1/2"}},
		rollout.Commanded{At: at(11), Command: rollout.Command{By: "hans", Do: rollout.DoPromote, Ring: "canary"}},
	} {
		b, err := m.Step(s)
		require.NoError(t, err)
		entry := rollout.EncodeBatch(nil, b)
		journal = append(journal, entry)
		x.read(t, &p, entry)
	}
	require.Empty(t, x.open, "everything is well in the end")
	require.Equal(t, []string{
		"open acme/berlin:q1/helpdesk/attempts/cyd%3A1%2F2",
		"open acme/berlin:q1/helpdesk/attempts/ada",
		"open acme/berlin:q1/boss/attempts/cyd%3A1%2F2",
		"close acme/berlin:q1/helpdesk/attempts/ada",
		"open acme/berlin:q1/boss/waiting/canary",
		"close acme/berlin:q1/helpdesk/attempts/cyd%3A1%2F2",
		"close acme/berlin:q1/boss/attempts/cyd%3A1%2F2",
		"close acme/berlin:q1/boss/waiting/canary",
	}, x.log, "devices are in the order of the plan")

	again := tickets{open: make(map[string]bool)}
	for _, entry := range journal {
		again.read(t, m.Plan(), entry)
	}
	require.Equal(t, x.log, again.log, "whoever reads the journal later has the same keys")
}

// Names may hold anything, and no two reasons have the same key for it.
func TestKeysOfWhatIsRaisedAreSafeAndDistinct(t *testing.T) {
	safe := regexp.MustCompile(`^[-A-Za-z0-9_.~$&+=@%/]*:[-A-Za-z0-9_.~$&+=@%]+/[-A-Za-z0-9_.~$&+=@%]+/[a-z]+/[-A-Za-z0-9_.~$&+=@%]+$`)
	seen := make(map[string]string)
	for _, k := range []rollout.Key{{Tenant: "acme", ID: "q1"}, {Tenant: "acme", ID: "q:1"}, {Tenant: "acme", ID: "q/1"}, {ID: "q1"}} {
		for _, level := range []string{"a", "a/failed", "ü !*'();,?#[]", "a%2Ffailed", strings.Repeat("x", 300)} {
			for _, ring := range []string{"r", "a/r", "ada"} {
				p := escalating(t, k, level, ring)
				for _, e := range []rollout.Raised{{Why: rollout.RaisedFailed}, {Why: rollout.RaisedWaiting}, {Why: rollout.RaisedAttempts, Devices: []int32{0, 1, 2}}} {
					keys := e.Keys(&p)
					require.Equal(t, keys, rollout.Cleared(e).Keys(&p))
					if e.Why == rollout.RaisedAttempts && ring != "r" {
						continue // a device has the same key in whichever ring it is
					}
					for _, key := range keys {
						require.Regexp(t, safe, key)
						require.Empty(t, seen[key], key)
						seen[key] = key
					}
				}
			}
		}
	}
	p := escalating(t, rollout.Key{Tenant: "acme", ID: "q1"}, "a", "r")
	require.Equal(t, []string{"acme:q1/7/attempts/device%209"}, rollout.Raised{Level: 7, Why: rollout.RaisedAttempts, Devices: []int32{9}}.Keys(&p),
		"what the plan does not know has its number")
}
