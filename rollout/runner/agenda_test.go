package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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

// A session is what one rollout did on one device, from its first task to the end of its last.
type session struct {
	rollout  rollout.Key
	tenant   inventory.Tenant
	device   inventory.DeviceID
	from, to time.Time
}

// sessions takes the log of a fleet apart, in which every device does well at once.
func sessions(t *testing.T, f *memory.Fleet) (all []session) {
	t.Helper()
	last := make(map[inventory.Tenant]map[inventory.DeviceID]int) // index of the session of each device
	for _, e := range f.Log() {
		name, err := rollout.ParseTaskID(e.Task)
		require.NoError(t, err)
		if last[e.Tenant] == nil {
			last[e.Tenant] = make(map[inventory.DeviceID]int)
		}
		i, found := last[e.Tenant][e.Device]
		if !found || all[i].rollout != name.Rollout {
			i = len(all)
			all = append(all, session{name.Rollout, e.Tenant, e.Device, e.At, e.At})
			last[e.Tenant][e.Device] = i
		}
		all[i].to = e.At
	}
	return all
}

// most returns how many of the sessions there were at a time.
func most(all []session) int {
	type edge struct {
		at time.Time
		n  int
	}
	var edges []edge
	for _, s := range all {
		edges = append(edges, edge{s.from, 1}, edge{s.to, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.n - b.n // one that ends makes room
	})
	n, top := 0, 0
	for _, e := range edges {
		n += e.n
		top = max(top, n)
	}
	return top
}

func TestTwoRolloutsNeverWorkOnOneDeviceAtOnce(t *testing.T) {
	const devices = 6
	play := func(t *testing.T, n int64, instead func(append func() error, kill func()) error) (appends int64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, devices, "openssl", "curl")
			f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
			j := &tampered{Journal: new(memjournal.Journal), n: n}
			cfg := config(f, j)
			cfg.Poll = 3 * time.Minute
			p := all()
			p.MaxActive = 4
			first := newRunner(t, cfg)
			begin(t, first, key("q1"), only("openssl", p))
			begin(t, first, key("q2"), only("curl", p))
			for ended := false; !ended; {
				ctx, kill := context.WithCancel(t.Context())
				if instead != nil {
					j.instead = func(append func() error) error { return instead(append, kill) }
				}
				r := newRunner(t, cfg)
				stopped := make(chan error, 1)
				go func() { stopped <- r.Run(ctx) }()
				_, err1 := r.Wait(ctx, key("q1"))
				_, err2 := r.Wait(ctx, key("q2"))
				ended = errors.Join(err1, err2) == nil
				kill()
				<-stopped
			}
			appends = j.appends.Load()
			begun(t, f)
			require.Len(t, sessions(t, f), 2*devices, "at append %d a device was handed to and fro", n)
		})
		return appends
	}
	appends := play(t, 0, nil)
	require.Greater(t, appends, int64(12))
	for name, instead := range map[string]func(append func() error, kill func()) error{
		"killed after an append":    func(append func() error, kill func()) error { err := append(); kill(); return err },
		"killed before an append":   func(_ func() error, kill func()) error { kill(); return context.Canceled },
		"an append fails":           func(func() error, func()) error { return errDisk },
		"an append fails for hours": func(func() error, func()) error { pass(3 * time.Hour); return errDisk },
		"an acknowledgement is lost": func(append func() error, _ func()) error {
			return errors.Join(append(), errDisk)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n := int64(1); n <= appends; n++ {
				play(t, n, instead)
			}
		})
	}
}

// The rollout whose journal takes longest to read may be the one that is working on the devices.
func TestNothingIsGrantedBeforeAllRolloutsAreTakenUp(t *testing.T) {
	for _, slow := range []rollout.ID{"q1", "q2"} {
		t.Run(string(slow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 5, "openssl", "curl", "bash")
				f.Behave = behave(memory.Behaviour{Latency: time.Hour})
				j := &slowLoad{Journal: new(memjournal.Journal), key: key(slow)}
				cfg := config(f, j)
				r := newRunner(t, cfg)
				stop := run(t, r)
				begin(t, r, key("q1"), only("openssl", all()))
				pass(time.Minute)
				begin(t, r, key("q2"), only("curl", all()))
				pass(time.Minute)
				require.ErrorIs(t, stop(), context.Canceled)
				j.takes = 20 * time.Minute
				r = start(t, cfg)
				pass(10 * time.Minute)
				begin(t, r, key("q3"), only("bash", all())) // while they are being taken up
				for _, id := range []rollout.ID{"q1", "q2", "q3"} {
					require.Equal(t, rollout.StageDone, ends(t, r, key(id)).Stage)
				}
				ss := sessions(t, f)
				require.Len(t, ss, 3*5, "a device was handed to and fro: %v", ss)
				for i := range 5 {
					require.Equal(t, key("q1"), ss[i].rollout, "it had begun")
				}
			})
		})
	}
}

// A rollout that can be read and not be written keeps the devices that it is working on.
func TestARolloutThatIsTakenUpLateKeepsItsDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 5, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Second})
		var tries atomic.Int64
		inner := new(memjournal.Journal)
		cfg := config(f, inner)
		r := newRunner(t, cfg)
		stop := run(t, r)
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, key("q2"), only("curl", all()))
		pass(time.Second)
		require.ErrorIs(t, stop(), context.Canceled)
		cfg.Journal = &flakyFor{Journal: inner, key: key("q1"), fails: func() bool { return tries.Add(1) < 6 }}
		r = start(t, cfg)
		ends(t, r, key("q1"))
		ends(t, r, key("q2"))
		require.GreaterOrEqual(t, tries.Load(), int64(6))
		require.Len(t, sessions(t, f), 2*5, "a device was handed to and fro")
	})
}

// A flakyFor journal does not append to one rollout while it fails.
type flakyFor struct {
	*memjournal.Journal
	key   rollout.Key
	fails func() bool
}

func (j *flakyFor) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	if h.Key == j.key && j.fails() {
		return errDisk
	}
	return j.Journal.Append(ctx, h, entries)
}

// A slowLoad is a journal that takes its time to load one rollout.
type slowLoad struct {
	*memjournal.Journal
	key   rollout.Key
	takes time.Duration
}

func (j *slowLoad) Load(ctx context.Context, k rollout.Key) (rollout.Record, error) {
	if k == j.key {
		pass(j.takes)
	}
	return j.Journal.Load(ctx, k)
}

func TestTheLimitHoldsOverAllRolloutsOfATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 20, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		cfg := config(f, new(memjournal.Journal))
		cfg.Limit = 5
		r := start(t, cfg)
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, key("q2"), only("curl", all()))
		ends(t, r, key("q1"))
		ends(t, r, key("q2"))
		require.Equal(t, 5, most(sessions(t, f)))
	})
}

func TestRootTenantsDoNotBlockEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3)
		for i := range 3 {
			f.AddDevice(unpatched("acme/berlin", dev(100+i), "curl"), unpatched("beta", dev(i)))
		}
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		cfg := config(f, new(memjournal.Journal))
		cfg.Limit = 1
		r := start(t, cfg)
		berlin, beta := rollout.Key{Tenant: "acme/berlin", ID: "q1"}, rollout.Key{Tenant: "beta", ID: "q1"}
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, berlin, all())
		begin(t, r, beta, all())
		for _, k := range []rollout.Key{key("q1"), berlin, beta} {
			require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 3}, outcomes(ends(t, r, k)))
		}
		var acme, others []session
		for _, s := range sessions(t, f) {
			if s.tenant == "beta" {
				others = append(others, s)
			} else {
				acme = append(acme, s)
			}
		}
		require.Len(t, acme, 6)
		require.Equal(t, 1, most(acme), "acme and acme/berlin share")
		require.Equal(t, 1, most(others))
		require.Equal(t, 2, most(append(acme, others...)), "beta does not wait for them")
	})
}

// A device that the rollouts of two tenants reach, one above the other, is one device.
func TestARolloutAboveAndOneBelowNeverWorkOnOneDeviceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 0)
		for i := range 4 {
			f.AddDevice(unpatched("acme/berlin", dev(i), "openssl", "curl"))
		}
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		r := start(t, config(f, new(memjournal.Journal)))
		berlin := rollout.Key{Tenant: "acme/berlin", ID: "q1"}
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, berlin, only("curl", all()))
		ends(t, r, key("q1"))
		ends(t, r, berlin)
		require.Len(t, sessions(t, f), 8)
	})
}

// What one rollout leaves, another one gets at once, and a device that is to be tried again does not wait for a poll.
func TestAFreeDeviceIsTakenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1, "openssl", "curl")
		begin0 := time.Now()
		cfg := config(f, new(memjournal.Journal))
		cfg.Poll = time.Hour
		stopped := false
		cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if t.Rollout == key("q1") && !stopped {
				stopped = true
				return rollout.Report{Phase: rollout.PhaseStopped}, nil // as if by hand: it is due again at once
			}
			return f.Deploy(ctx, t)
		}}
		r := newRunner(t, cfg)
		begin(t, r, key("q1"), only("openssl", all()))
		begin(t, r, key("q2"), only("curl", all()))
		run(t, r)
		ends(t, r, key("q1"))
		ends(t, r, key("q2"))
		require.Zero(t, time.Since(begin0))
	})
}

func TestADeviceThatAnotherRolloutWorksOnIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		r := newRunner(t, config(f, new(memjournal.Journal)))
		run(t, r)
		begin(t, r, key("q1"), only("openssl", all()))
		synctest.Wait()
		begin(t, r, key("q2"), only("curl", all()))
		synctest.Wait()
		reasons := func(k rollout.Key) (texts []string) {
			x, err := r.Explain(t.Context(), k, dev(0))
			require.NoError(t, err)
			for _, m := range x.Reasons {
				texts = append(texts, m.String())
			}
			return texts
		}
		require.Equal(t, []string{"rollout acme:q1 is working on it"}, reasons(key("q2")))
		require.Len(t, reasons(key("q1")), 1)
		require.Contains(t, reasons(key("q1"))[0], "install is running")
		ends(t, r, key("q1"))
		ends(t, r, key("q2"))
		require.Equal(t, []string{"settled: succeeded"}, reasons(key("q2")))
	})
}

// Two rollouts have a device each at a site where only one may be disrupted. The first one's device fails: the second waits for it, and
// is told why, until a person acknowledges the failure, or the device is retired: while the first rollout goes on, when it is over, when that was before a restart,
// and when it is another process that the person has told.
func TestAFailedDeviceUsesUpTheBudgetUntilItIsAcknowledged(t *testing.T) {
	for name, c := range map[string]struct{ over, restarted, elsewhere, retired bool }{
		"under way":               {},
		"over":                    {over: true},
		"over, restarted":         {over: true, restarted: true},
		"over, told elsewhere":    {over: true, elsewhere: true},
		"over, both":              {over: true, restarted: true, elsewhere: true},
		"over, then retired":      {over: true, retired: true},
		"over, retired elsewhere": {over: true, restarted: true, elsewhere: true, retired: true},
		"under way, a restart":    {restarted: true},
		"under way and elsewhere": {elsewhere: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 0)
				for i, pkg := range []string{"openssl", "curl"} {
					d := unpatched("acme", dev(i), pkg)
					d.Labels = map[string]string{"site": "oslo"}
					f.AddDevice(d)
				}
				f.Behave = func(d inventory.DeviceID, _ rollout.Task) memory.Behaviour {
					if d == dev(0) {
						return memory.Behaviour{Fault: patch.Permanent}
					}
					return memory.Behaviour{}
				}
				cfg := config(f, new(memjournal.Journal))
				r := newRunner(t, cfg)
				stop := run(t, r)
				p := all()
				p.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: 1}}
				p.Rings[0].Gate.Manual, p.Rings[0].Gate.MaxFailed = true, 9999
				begin(t, r, key("q1"), only("openssl", p))
				pass(time.Minute)
				p.Rings = slices.Clone(p.Rings)
				p.Rings[0].Gate.Manual = false
				begin(t, r, key("q2"), only("curl", p))
				pass(time.Hour)
				why := "budget sites: 1 of 1 disrupted at site oslo"
				if c.over {
					require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "olga"}))
					ends(t, r, key("q1"))
					why += "; not acknowledged since their rollouts are over: dev-000 of acme:q1"
				}
				if c.restarted {
					require.ErrorIs(t, stop(), context.Canceled)
					r = start(t, cfg)
				}
				pass(time.Hour)
				x, err := r.Explain(t.Context(), key("q2"), dev(1))
				require.NoError(t, err)
				require.Len(t, x.Reasons, 1)
				require.Equal(t, why, x.Reasons[0].String())

				person := r
				if c.elsewhere {
					person = newRunner(t, cfg)
				}
				know := rollout.Command{Do: rollout.DoAcknowledge, Device: dev(0), By: "olga"}
				if c.retired {
					gone := rollout.Departure{Device: dev(0), How: rollout.Retired, By: "cmdb"}
					require.NoError(t, person.Leave(t.Context(), "acme", gone))
					require.NoError(t, person.Leave(t.Context(), "acme", gone), "it is known")
				} else {
					require.NoError(t, person.Command(t.Context(), key("q1"), know))
				}
				require.ErrorIs(t, person.Command(t.Context(), key("q1"), know), rollout.ErrCommand)
				pass(time.Hour)
				s, _, err := r.Status(t.Context(), key("q2"))
				require.NoError(t, err)
				require.Equal(t, rollout.StageDone, s.Stage)
				require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, outcomes(s))
			})
		})
	}
}

// unreadable is a journal that cannot read one rollout any more.
type unreadable struct {
	*memjournal.Journal
	key rollout.Key
	on  atomic.Bool
}

func (j *unreadable) Load(ctx context.Context, k rollout.Key) (rollout.Record, error) {
	if k == j.key && j.on.Load() {
		return rollout.Record{}, errDisk
	}
	return j.Journal.Load(ctx, k)
}

// A rollout that is over and cannot be read any more keeps nobody from noticing what other processes have done.
func TestWhatCannotBeReadHidesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		f.Behave = behave(memory.Behaviour{Fault: patch.Permanent})
		j := &unreadable{Journal: new(memjournal.Journal), key: key("q1")}
		cfg := config(f, j)
		r := start(t, cfg)
		p := all()
		p.Budgets = []policy.Budget{{Name: "all", Count: 1}}
		begin(t, r, key("q1"), p)
		pass(time.Hour)
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "olga"}))
		ends(t, r, key("q1"))
		begin(t, r, key("q2"), p)
		pass(time.Hour)

		person := newRunner(t, cfg)
		require.NoError(t, person.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoAcknowledge, Device: dev(0), By: "olga"}))
		require.NoError(t, person.Command(t.Context(), key("q2"), rollout.Command{Do: rollout.DoCancel, By: "olga"}))
		j.on.Store(true)
		pass(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s, err := r.Wait(ctx, key("q2"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageCancelled, s.Stage)
	})
}

// A device that three rollouts want is worked on by the one that began. Of the two that wait, the one with the higher priority is next,
// whenever it has asked; but not while its window is closed.
func TestTheHighestPriorityIsNext(t *testing.T) {
	for name, open := range map[string]bool{"open": true, "closed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(memjournal.Journal)
				f := fleet(nil, 1, "openssl", "curl", "bash")
				f.Behave = behave(memory.Behaviour{Latency: 3 * time.Hour})
				r := start(t, config(f, j))
				begin(t, r, key("q0"), only("bash", all()))
				pass(time.Minute)
				begin(t, r, key("q1"), only("curl", all()))
				pass(time.Minute)
				urgent := only("openssl", all())
				urgent.Priority = 10
				if now := time.Now().UTC(); !open { // its window is over before the device is free
					clock := policy.Clock(now.Hour()*60 + now.Minute())
					urgent.Windows = []policy.Window{{Start: clock, End: (clock + 60) % (24 * 60), Zone: "UTC"}}
				}
				begin(t, r, key("q2"), urgent)
				pass(10 * time.Minute)
				x, err := r.Explain(t.Context(), key("q2"), dev(0))
				require.NoError(t, err)
				require.Equal(t, "rollout acme:q0 is working on it", x.Reasons[0].String())
				x, err = r.Explain(t.Context(), key("q1"), dev(0))
				require.NoError(t, err)
				require.Contains(t, fmt.Sprint(x.Reasons), "rollout acme:q2 comes first: its priority is 10, and 0 here")

				first, second := key("q2"), key("q1")
				if !open {
					first, second = second, first
				}
				ends(t, r, first)
				s, _, err := r.Status(t.Context(), second)
				require.NoError(t, err)
				require.Equal(t, rollout.StageActive, s.Stage)
				ends(t, r, second)
				begun(t, f)
			})
		})
	}
}
