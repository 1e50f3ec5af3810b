package runner_test

import (
	"context"
	"errors"
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

// The error of the first call of a kind is what it says it is; the second call is answered as the device will.
func TestErrorsCountAsTheirFault(t *testing.T) {
	type row struct {
		err     error
		fault   patch.Fault
		outcome rollout.Outcome
		after   time.Duration // until the next call; 0 for none
	}
	rows := []row{
		{errors.New("no route to host"), patch.Transient, rollout.Succeeded, 10 * time.Minute},
		{&patch.RetryAfterError{After: 5 * time.Hour, Err: errors.New("throttled")}, patch.Transient, rollout.Succeeded, 5 * time.Hour},
		{patch.ErrBusy, patch.Busy, rollout.Succeeded, 5 * time.Minute},
		{patch.ErrUnreachable, patch.Unreachable, rollout.Succeeded, time.Hour},
		{patch.ErrDiskFull, patch.DiskFull, rollout.Succeeded, 10 * time.Minute},
		{patch.ErrCorrupt, patch.Corrupt, rollout.Succeeded, 10 * time.Minute},
		{patch.ErrNeedsUser, patch.NeedsUser, rollout.Succeeded, time.Hour},
		{patch.ErrNotApplicable, patch.NotApplicable, rollout.NotApplicable, 0},
		{patch.ErrSuperseded, patch.Superseded, rollout.Superseded, 0},
		{patch.ErrAlreadyInstalled, patch.AlreadyInstalled, rollout.Succeeded, 10 * time.Minute}, // which turns out not to be true
		{patch.ErrPermanent, patch.Permanent, rollout.Failed, 0},
		{patch.ErrUntrusted, patch.Untrusted, rollout.Failed, 0},
		{errors.ErrUnsupported, patch.Permanent, rollout.Failed, 0},
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("%T %v", row.err, row.err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 2)
				j := new(memjournal.Journal)
				cfg := config(f, j)
				var calls []time.Time
				cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
					if t.Device == "dev-001" { // so that the ring has somebody who is well
						return f.Deploy(ctx, t)
					}
					if calls = append(calls, time.Now()); len(calls) == 1 {
						return rollout.Report{}, fmt.Errorf("shop: %w", row.err)
					}
					return f.Deploy(ctx, t)
				}}
				r := start(t, cfg)
				begin(t, r, key("q1"), all())
				ends(t, r, key("q1"))
				m, batches := history(t, j, key("q1"))
				i0, _ := m.Plan().Find("dev-000")
				require.Equal(t, row.outcome, m.Device(i0).Outcome)
				answered, _ := events[rollout.Answered](batches)
				var first *rollout.TaskReport
				for _, a := range answered {
					for i := range a.Reports {
						if x := &a.Reports[i]; first == nil && x.Device == int32(i0) && x.Phase == rollout.PhaseFailed {
							first = x
						}
					}
				}
				require.Equal(t, row.fault, first.Fault)
				require.Equal(t, "shop: "+row.err.Error(), first.Message)
				if row.after == 0 {
					require.Len(t, calls, 1)
					return
				}
				require.Len(t, calls, 2)
				pause := calls[1].Sub(calls[0])
				require.GreaterOrEqual(t, pause, row.after)
				require.LessOrEqual(t, pause, row.after+row.after/5)
			})
		})
	}
}

// A panic is a bug in a provider: it fails one call, is logged with its stack, and the device is told about in one line.
func TestAProviderThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3)
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		j := new(memjournal.Journal)
		var l log
		cfg := config(f, j)
		cfg.Logger = l.logger()
		calls := 0
		once := func(what string) {
			if calls++; calls%3 == 1 {
				panic("no " + what)
			}
		}
		cfg.Deployer = &deployer{Fleet: f,
			deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
				if t.Handle.Seq == 1 {
					panic("no deployment")
				}
				return f.Deploy(ctx, t)
			},
			status: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
				once("status")
				return f.Status(ctx, t)
			}}
		asked := 0
		cfg.Approver = policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) {
			if asked++; asked == 1 {
				panic("no approval")
			}
			return yes("hans", q), nil
		})
		cfg.Workers = 1
		r := start(t, cfg)
		p := all()
		p.Rings[0].Approval = true
		begin(t, r, key("q1"), p)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 3}, outcomes(ends(t, r, key("q1"))))
		_, batches := history(t, j, key("q1"))
		failed := 0
		answered, _ := events[rollout.Answered](batches)
		for _, a := range answered {
			for _, x := range a.Reports {
				if x.Phase == rollout.PhaseFailed {
					failed++
					require.Equal(t, patch.Transient, x.Fault)
					require.Equal(t, "provider panicked: no deployment", x.Message)
				}
			}
		}
		require.Equal(t, 3, failed, "asking how a task stands never counts")
		for _, what := range []string{"deployment", "status", "approval"} {
			require.Contains(t, l.String(), "provider panicked: no "+what)
		}
		require.Equal(t, 2, asked)
		require.Contains(t, l.String(), "provider_test.go", "the stack")
	})
}

// A provider that does not care for its context answers when nobody listens any more: its task goes on, under its ID.
func TestAnAnswerThatComesAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		j := new(memjournal.Journal)
		cfg := config(f, j)
		answer := make(chan struct{})
		calls := 0
		cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if calls++; calls > 1 {
				return f.Deploy(ctx, t)
			}
			<-answer
			return f.Deploy(context.WithoutCancel(ctx), t)
		}}
		r := newRunner(t, cfg)
		stop := run(t, r)
		begin(t, r, key("q1"), all())
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- stop() }()
		pass(time.Hour)
		select {
		case <-ended:
			t.Fatal("Run has left a call behind")
		default:
		}
		close(answer)
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Equal(t, 1, f.Installs("dev-000"))

		second := start(t, cfg)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, outcomes(ends(t, second, key("q1"))))
		require.Equal(t, 2, calls)
		begun(t, f)
		require.Equal(t, 1, f.Installs("dev-000"))
	})
}

// A call that was cancelled because the runner ends says nothing about the device.
func TestACancelledCallIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		j := new(memjournal.Journal)
		cfg := config(f, j)
		cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, _ rollout.Task) (rollout.Report, error) {
			<-ctx.Done()
			return rollout.Report{}, ctx.Err()
		}}
		r := newRunner(t, cfg)
		stop := run(t, r)
		begin(t, r, key("q1"), all())
		synctest.Wait()
		require.ErrorIs(t, stop(), context.Canceled)
		_, batches := history(t, j, key("q1"))
		answered, _ := events[rollout.Answered](batches)
		require.Empty(t, answered)
		cfg.Deployer = f
		ends(t, start(t, cfg), key("q1"))
		require.Contains(t, begun(t, f), rollout.TaskID("acme:q1/all/dev-000/install/1"))
	})
}

func TestAnApproverWhoIsNoHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		j := new(memjournal.Journal)
		cfg := config(f, j)
		var asked []policy.Request
		answers := []func(policy.Request) (policy.Decision, error){
			func(policy.Request) (policy.Decision, error) { return policy.Decision{}, nil },
			func(policy.Request) (policy.Decision, error) { return policy.Decision{}, errors.New("on holiday") },
			func(q policy.Request) (policy.Decision, error) { q.Digest = "sha256:00"; return yes("hans", q), nil },
			func(q policy.Request) (policy.Decision, error) { q.Digest = "sha256:00"; return yes("hans", q), nil },
			func(q policy.Request) (policy.Decision, error) { return yes("olga", q), nil }, // who asks
			func(q policy.Request) (policy.Decision, error) { return yes(" ", q), nil },
			func(q policy.Request) (policy.Decision, error) {
				return policy.Decision{Ruling: 77, By: "hans", Digest: q.Digest}, nil
			},
			func(q policy.Request) (policy.Decision, error) { return yes("hans", q), errors.New("or not") },
		}
		cfg.Approver = policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) {
			if asked = append(asked, q); len(asked) <= len(answers) {
				return answers[len(asked)-1](q)
			}
			return yes("hans", q), nil
		})
		begin0 := time.Now()
		r := start(t, cfg)
		p := all()
		p.Rings[0].Approval = true
		begin(t, r, key("q1"), p)
		pass(time.Duration(len(answers))*time.Minute - time.Second)
		require.Empty(t, f.Log(), "nothing is approved by default")
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.Equal(t, time.Duration(len(answers))*time.Minute, time.Since(begin0))
		for _, q := range asked {
			require.Equal(t, asked[0], q, "the same is asked each time")
		}
		_, batches := history(t, j, key("q1"))
		decided, _ := events[rollout.RingDecided](batches)
		var refused []string
		for _, d := range decided {
			refused = append(refused, d.Refused)
		}
		require.Equal(t, []string{"it is about something else: the digest differs", "who asks cannot approve", "it names nobody", ""}, refused)
	})
}

func TestADenialEndsTheRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		cfg := config(f, new(memjournal.Journal))
		cfg.Approver = policy.ApproverFunc(func(context.Context, policy.Request) (policy.Decision, error) {
			return policy.Decision{Ruling: policy.Denied, By: "hans", Reason: "not in December"}, nil
		})
		r := start(t, cfg)
		p := all()
		p.Rings[0].Approval = true
		begin(t, r, key("q1"), p)
		require.Equal(t, rollout.StageDenied, ends(t, r, key("q1")).Stage)
		require.Empty(t, f.Log())
	})
}

// bare is a deployer without abilities.
type bare struct{ rollout.Deployer }

// verifies, verifiesAndReboots are deployers with some.
type verifies struct {
	rollout.Deployer
	rollout.Verifier
}

type verifiesAndReboots struct {
	rollout.Deployer
	rollout.Verifier
	rollout.Rebooter
}

// noScans is an inventory that cannot scan.
type noScans struct{ inventory.Source }

func TestStartRefusesWhatADeviceCannotDo(t *testing.T) {
	f := fleet(nil, 4)
	reboots := all()
	reboots.Reboot.Mode = policy.RebootIfRequired
	undoes := reboots
	undoes.Rollback.On = policy.FailRollsBackRing
	ahead := all()
	ahead.Rings[0].Download.Windows = []policy.Window{{Start: 60, End: 120, Zone: "UTC"}}
	probed := all()
	probed.Health.Probes.List = []policy.Probe{{Name: "till", Of: "tilld"}}
	drained, others := all(), all()
	drained.Budgets = []policy.Budget{{Name: "nodes", Drain: true}}
	others.Budgets = []policy.Budget{{Name: "nodes", Devices: inventory.MustSelector("device.id=nobody"), Drain: true}}
	mended := all()
	mended.Retry.Remedies = []policy.Remedy{{Fault: patch.Corrupt}}
	kept, tried := all(), all()
	kept.Backup.Need, tried.Backup.Need = policy.BackupRequired, policy.BackupBestEffort
	for _, row := range []struct {
		name     string
		devices  inventory.Source
		deployer rollout.Deployer // of dev-002; nil for none
		policy   policy.Policy
		err      string
	}{
		{"nothing is lacking", noScans{f}, f, undoes, ""},
		{"nobody verifies", noScans{f}, bare{f}, all(), "Verifier"},
		{"a scan verifies", f, bare{f}, all(), ""},
		{"the deployer verifies", noScans{f}, verifies{f, f}, all(), ""},
		{"nobody restarts", f, verifies{f, f}, reboots, "Rebooter"},
		{"it restarts", f, verifiesAndReboots{f, f, f}, reboots, ""},
		{"nobody takes back", f, verifiesAndReboots{f, f, f}, undoes, "Rollbacker"},
		{"it is limited, which takes nothing away", noScans{f}, providers.Limit(f, 1), undoes, ""},
		{"it is limited, which adds nothing", f, providers.Limit(verifies{f, f}, 1), reboots, "Rebooter"},
		{"nobody downloads ahead", f, verifies{f, f}, ahead, "Downloader"},
		{"it downloads ahead", f, f, ahead, ""},
		{"nobody backs up", f, verifies{f, f}, kept, "Snapshotter"},
		{"nobody probes", f, verifies{f, f}, probed, "Prober"},
		{"it probes", f, f, probed, ""},
		{"nobody drains", f, verifies{f, f}, drained, "Drainer"},
		{"nobody drains, and nobody must", f, verifies{f, f}, others, ""},
		{"it drains", f, f, drained, ""},
		{"nobody puts right", f, verifies{f, f}, mended, "Remedier"},
		{"it puts right", f, f, mended, ""},
		{"nobody backs up, and nobody must", f, verifies{f, f}, tried, ""},
		{"it backs up", f, f, kept, ""},
		{"there is none", noScans{f}, nil, all(), "Verifier"},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := new(memjournal.Journal)
			cfg := config(f, j)
			cfg.Devices = row.devices
			cfg.Deployer = providers.Router(func(t rollout.Task) rollout.Deployer {
				if t.Device == "dev-002" {
					return row.deployer
				}
				return f
			})
			r := newRunner(t, cfg)
			err := r.Start(t.Context(), planned(t, r, key("q1"), row.policy))
			if row.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, patch.ErrPermanent)
			require.ErrorContains(t, err, "runner: acme:q1: device dev-002: its deployer is no "+row.err)
			_, err = j.Load(t.Context(), key("q1"))
			require.ErrorIs(t, err, rollout.ErrNotFound, "nothing was touched")
		})
	}
}

// What is downloaded ahead is brought by the deployer's own call, before the window, and installed in it.
func TestDevicesDownloadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, f := new(memjournal.Journal), fleet(nil, 3)
		p, now := all(), time.Now().UTC()
		at := func(h int) policy.Clock { return policy.Clock((now.Hour() + h) % 24 * 60) }
		p.Download.Windows = []policy.Window{{Start: at(1), End: at(2), Zone: "UTC"}}
		p.Windows = []policy.Window{{Start: at(5), End: at(6), Zone: "UTC"}}
		r := start(t, config(f, j))
		begin(t, r, key("q1"), p)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		_, batches := history(t, j, key("q1"))
		issued, _ := events[rollout.Issued](batches)
		require.Equal(t, rollout.OpDownload, issued[0].Op)
		require.Len(t, issued[0].Devices, 3)
		require.Equal(t, rollout.OpInstall, issued[1].Op)
		downloaded, _ := events[rollout.Downloaded](batches)
		require.NotEmpty(t, downloaded)
		require.False(t, downloaded[0].Failed)
	})
}

// Devices are reached in different ways, each by what it can: some verify by themselves, some are scanned.
func TestARouterTakesEachDeviceToItsDeployer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 8)
		f.Behave = behave(memory.Behaviour{Latency: time.Minute, NeedsReboot: true})
		j := new(memjournal.Journal)
		cfg := config(f, j)
		whole := providers.Limit(f, 1)
		cfg.Deployer = providers.Router(func(t rollout.Task) rollout.Deployer {
			switch t.Device[6] % 3 {
			case 0:
				return f
			case 1:
				return whole
			}
			return bare{f}
		})
		r := start(t, cfg)
		begin(t, r, key("q1"), all())
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 8}, outcomes(ends(t, r, key("q1"))))
		verified := make(map[inventory.DeviceID]bool)
		for _, e := range f.Log() {
			if e.Op == rollout.OpVerify {
				verified[e.Device] = true
			}
		}
		for i := range 8 {
			require.Equal(t, dev(i)[6]%3 != 2, verified[dev(i)], "%s is verified by its deployer", dev(i))
		}
	})
}

func TestStartTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3)
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		r := newRunner(t, config(f, new(memjournal.Journal)))
		p := planned(t, r, key("q1"), all())
		require.NoError(t, r.Start(t.Context(), p))
		require.ErrorIs(t, r.Start(t.Context(), p), rollout.ErrExists, "before it runs")
		run(t, r)
		pass(time.Minute)
		require.ErrorIs(t, r.Start(t.Context(), p), rollout.ErrExists, "while it goes on")
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.ErrorIs(t, r.Start(t.Context(), p), rollout.ErrExists, "when it is over")
		require.Len(t, begun(t, f), 6)
	})
}

func TestAQuarantineBetweenPlanAndStart(t *testing.T) {
	// breaks lets a rollout of a tenant fail and be rolled back.
	breaks := func(t *testing.T, r *runner.Runner, f *memory.Fleet, k rollout.Key) {
		t.Helper()
		f.Behave = behave(memory.Behaviour{Breaks: true})
		begin(t, r, k, rings())
		require.Equal(t, rollout.StageUndone, ends(t, r, k).Stage)
		f.Behave = nil
	}
	t.Run("of a patch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 10)
			r := start(t, config(f, new(memjournal.Journal)))
			p := planned(t, r, key("q2"), all())
			breaks(t, r, f, key("q1"))
			err := r.Start(t.Context(), p)
			require.ErrorContains(t, err, "patch debian:openssl=2 is in quarantine since rollout q1 (gate of ring test failed); plan again, or release it")
			_, err = r.Plan(t.Context(), runner.PlanRequest{Key: key("q2"), Policy: all(), By: "olga"})
			require.ErrorIs(t, err, rollout.ErrNothing)

			release := rollout.Command{Do: rollout.DoRelease, Patch: fix("openssl").ID, By: "olga"}
			require.NoError(t, r.Command(t.Context(), key("q1"), release), "although it is over")
			require.ErrorIs(t, r.Command(t.Context(), key("q1"), release), rollout.ErrCommand)
			require.NoError(t, r.Start(t.Context(), p))
			require.Equal(t, rollout.StageDone, ends(t, r, key("q2")).Stage)
		})
	})
	t.Run("of a patch on one device", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 10)
			r := start(t, config(f, new(memjournal.Journal)))
			p := planned(t, r, key("q2"), all())
			soaks := all()
			soaks.Rings[0].Gate.Soak = policy.Duration(24 * time.Hour)
			begin(t, r, key("q1"), soaks)
			pass(time.Hour)
			require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoUndoDevice, Device: "dev-004", By: "olga", Reason: "slow"}))
			require.ErrorContains(t, r.Start(t.Context(), p), "device dev-004: patch debian:openssl=2 is in quarantine since rollout q1 (slow)")
			again := begin(t, r, key("q2"), all())
			require.Len(t, again.Devices, 9)
			require.NotContains(t, again.Devices, inventory.DeviceID("dev-004"))
		})
	})
	t.Run("of a tenant below", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 10)
			for i := range 10 {
				f.AddDevice(unpatched("acme/berlin", dev(100+i)))
			}
			r := start(t, config(f, new(memjournal.Journal)))
			p := planned(t, r, key("q2"), all())
			require.Len(t, p.Devices, 20)
			breaks(t, r, f, rollout.Key{Tenant: "acme/berlin", ID: "b1"})
			require.ErrorContains(t, r.Start(t.Context(), p), "in quarantine since rollout b1")
			again := begin(t, r, key("q2"), all())
			require.Len(t, again.Devices, 10, "the others may have it")
			require.Equal(t, rollout.StageDone, ends(t, r, key("q2")).Stage)
		})
	})
	t.Run("of a tenant above, and of one beside", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 10)
			f.AddDevice(unpatched("acme/berlin", "bob"), unpatched("beta", "eve"))
			r := start(t, config(f, new(memjournal.Journal)))
			berlin, beta := rollout.Key{Tenant: "acme/berlin", ID: "b1"}, rollout.Key{Tenant: "beta", ID: "x1"}
			p := planned(t, r, berlin, all())
			breaks(t, r, f, key("q1"))
			require.ErrorContains(t, r.Start(t.Context(), p), "in quarantine since rollout q1")
			begin(t, r, beta, all())
			require.Equal(t, rollout.StageDone, ends(t, r, beta).Stage)
		})
	})
}

// untouchable is a deployer, and a journal, that nobody may touch.
type untouchable struct {
	rollout.Deployer
	*memjournal.Journal
	t *testing.T
}

func (u untouchable) Deploy(context.Context, rollout.Task) (rollout.Report, error) {
	u.t.Error("deployed")
	return rollout.Report{}, nil
}

func (u untouchable) Create(context.Context, rollout.Head, []byte, [][]byte) error {
	u.t.Error("created")
	return nil
}

func (u untouchable) Append(context.Context, rollout.Head, [][]byte) error {
	u.t.Error("appended")
	return nil
}

func TestPlanTouchesNothing(t *testing.T) {
	f := fleet(nil, 100)
	u := untouchable{Deployer: f, Journal: new(memjournal.Journal), t: t}
	r := start(t, runner.Config{Patches: []patch.Source{f}, Devices: f, Deployer: u, Journal: u})
	a, b := planned(t, r, key("q1"), rings()), planned(t, r, key("q1"), rings())
	require.Equal(t, a.Devices, b.Devices, "the same facts make the same plan")
	require.Len(t, a.Devices, 100)
	require.Empty(t, f.Log())
	for range u.Heads(t.Context(), rollout.HeadQuery{}) {
		t.Fatal("there is a rollout")
	}
}

func TestPlanErrorsSayWhatFailed(t *testing.T) {
	f := fleet(nil, 3)
	request := runner.PlanRequest{Key: key("q1"), Policy: all(), By: "olga"}
	for _, row := range []struct {
		name   string
		change func(*runner.Config, *runner.PlanRequest)
		err    string
	}{
		{"no patches", func(c *runner.Config, _ *runner.PlanRequest) { c.Patches = nil }, "runner: plan acme:q1: Config.Patches and Config.Devices are needed"},
		{"no devices", func(c *runner.Config, _ *runner.PlanRequest) { c.Devices = nil }, "runner: plan acme:q1: Config.Patches and Config.Devices are needed"},
		{"an enricher fails", func(c *runner.Config, _ *runner.PlanRequest) { c.Enrich = []patch.Enricher{enricher(nil)} }, "runner: plan acme:q1: enricher 0: offline"},
		{"no policy", func(_ *runner.Config, q *runner.PlanRequest) { q.Policy = policy.Policy{} }, "acme:q1"},
		{"a journal that cannot be read", func(c *runner.Config, _ *runner.PlanRequest) {
			c.Journal = &heads{Journal: new(memjournal.Journal), err: errDisk}
		}, "runner: plan acme:q1: runner: journal: the disk is gone"},
		{"another tenant", func(_ *runner.Config, q *runner.PlanRequest) { q.Key.Tenant = "beta" }, "nothing to roll out"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg, q := config(f, new(memjournal.Journal)), request
			row.change(&cfg, &q)
			_, err := newRunner(t, cfg).Plan(t.Context(), q)
			require.ErrorContains(t, err, row.err)
			require.ErrorContains(t, err, q.Key.String())
		})
	}
}

// enricher is an enricher made of a function; the nil one fails.
type enricher func(c *patch.Catalog) []patch.Patch

func (e enricher) Enrich(_ context.Context, c *patch.Catalog) ([]patch.Patch, error) {
	if e == nil {
		return nil, errors.New("offline")
	}
	return e(c), nil
}
