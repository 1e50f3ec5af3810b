package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
)

const hour = policy.Duration(time.Hour)

// trace carries a plan of 20 devices out until it ends or three days have gone by, and tells what was decided: a line for
// each message, with the hours since the beginning. Devices answer as told; nil is no answer. After so many hours, if any are
// given, all of them are seen.
func trace(t *testing.T, in PlanInput, answer func(Task) *Report, seen time.Duration) string {
	t.Helper()
	p, err := NewPlan(in)
	if err != nil {
		return "no plan: " + err.Error()
	}
	m, err := NewMachine(p)
	require.NoError(t, err)
	var b strings.Builder
	now, end := in.At, in.At.Add(72*time.Hour)
	most := 0
	step := func(s Signal) {
		batch, err := m.Step(s)
		require.NoError(t, err)
		most = max(most, len(slices.Collect(m.Running())))
		for _, e := range batch.Events {
			for _, msg := range p.Describe(e) {
				fmt.Fprintf(&b, "%gh %s\n", now.Sub(in.At).Hours(), msg)
			}
		}
	}
	step(Begin{now})
	samples := func(value float64) {
		if len(p.Policy.Health.Metrics) > 0 && !m.Stage().Final() {
			s := Sampled{At: now}
			for d := range p.Devices {
				s.Samples = append(s.Samples, Sample{Device: int32(d), Metric: "boot", Value: value})
			}
			step(s)
		}
	}
	samples(10)
	joiner := Joiner{Device: "new", Tenant: in.Tenant, Zone: "UTC", Content: in.Contents[0], Claim: ByShare}
	if _, err := m.Step(Joined{now, []Joiner{joiner}}); err != nil {
		require.ErrorIs(t, err, ErrJoin)
	}
	step(Gathered{now, []PatchOutcomes{{Patch: "x:p1", Tenants: 5, Failing: 4, Devices: 100, Failed: 50}}})
	for !m.Stage().Final() {
		if g := m.Wanted(now, 0); len(g) > 0 {
			step(Granted{now, g})
			continue
		}
		var reports []TaskReport
		for d := range m.Running() {
			task, _ := m.Task(d)
			if r := answer(task); r != nil {
				reports = append(reports, TaskReport{task.Handle, *r})
			}
		}
		if len(reports) > 0 {
			step(Reported{At: now, Reports: reports})
			samples(12)
			if s := m.Device(0); p.Policy.Reboot.Deferrals.Max > 0 && s.Outcome == Unsettled && s.Op == OpReboot && !s.Running {
				step(Deferred{At: now, Device: 0, By: "eva"})
			}
			for i, by := range []string{"eva", "eva", "bob"} {
				d, word := int32(min(i, 1)), Fine
				if i == 0 {
					word = Broke
				}
				if !p.Policy.Health.Feedback.IsZero() && m.Device(int(d)).Attempts > 0 && !m.Stage().Final() {
					step(Feedback{At: now, Device: d, By: by, Word: word})
				}
			}
			continue
		}
		next, ok := m.Next()
		if at := in.At.Add(seen); seen > 0 && at.After(now) && (!ok || next.After(at)) {
			now = at
			all := make([]int32, len(p.Devices))
			for d := range all {
				all[d] = int32(d)
			}
			step(Seen{now, all})
			continue
		}
		if !ok || next.After(end) {
			break
		}
		now = next
		step(Tick{now})
	}
	fmt.Fprintf(&b, "at most %d at once\n", most)
	return b.String()
}

func fine(Task) *Report { return &Report{Phase: PhaseSucceeded} }

// failing lets installations on the first n devices of the plan's order fail.
func failing(n int32, f patch.Fault) func(Task) *Report {
	return func(t Task) *Report {
		if t.Op == OpInstall && t.Handle.Device < n {
			return &Report{Phase: PhaseFailed, Fault: f}
		}
		return fine(t)
	}
}

// unreturning lets the gate fail, and every rollback.
func unreturning(t Task) *Report {
	if t.Op == OpRollback || t.Op == OpInstall && t.Handle.Device == 4 {
		return &Report{Phase: PhaseFailed, Fault: patch.Permanent}
	}
	return fine(t)
}

// neverEnding lets nobody ever hear of the installation on the first device, where nothing is found.
func neverEnding(t Task) *Report {
	switch {
	case t.Handle.Device > 0:
		return fine(t)
	case t.Op == OpVerify:
		return &Report{Phase: PhaseFailed}
	}
	return nil
}

// backing shows backups of that age.
func backing(age time.Duration) func(Task) *Report {
	return func(t Task) *Report {
		if t.Op == OpBackup {
			return &Report{Phase: PhaseSucceeded, Backup: Backup{ID: "b", At: t.Issued.Add(-age)}}
		}
		return fine(t)
	}
}

// finding finds the probe "till" of the first device down before, and after for so long.
func finding(before bool, after time.Duration) func(Task) *Report {
	var first time.Time
	return func(t Task) *Report {
		up := true
		if t.Handle.Device == 0 {
			if t.Op == OpProbe && first.IsZero() {
				first = t.Issued
			}
			up = !(t.Op == OpPrecheck && before || t.Op == OpProbe && t.Issued.Before(first.Add(after)))
		}
		r := fine(t)
		for _, p := range t.Probes {
			r.Probes = append(r.Probes, ProbeResult{Name: p.Name, Up: patch.TriOf(up)})
		}
		return r
	}
}

func owing(t Task) *Report {
	if t.Op == OpInstall {
		return &Report{Phase: PhaseSucceeded, Reboot: patch.Yes}
	}
	return fine(t)
}

// awaiting says of the first device, until it was restarted, that it waits for that, and of no other.
func awaiting() func(Task) *Report {
	restarted := false
	return func(t Task) *Report {
		r := fine(t)
		if t.Handle.Device == 0 {
			restarted = restarted || t.Op == OpReboot
		}
		if t.Op == OpLook {
			r.Reboot = patch.TriOf(t.Handle.Device == 0 && !restarted)
		}
		return r
	}
}

func silentOn(op Op) func(Task) *Report {
	return func(t Task) *Report {
		if t.Op == op && t.Handle.Device == 0 {
			return nil
		}
		return fine(t)
	}
}

// Every setting that the engine obeys is here, with a case in which it changes what is decided. The fields are enumerated by
// reflection, so that a new one without a case fails.
func TestEverySettingChangesBehaviour(t *testing.T) {
	type testCase struct {
		base   func(*policy.Policy) // what both runs share
		change func(*policy.Policy)
		answer func(Task) *Report
		anew   func() func(Task) *Report // instead of answer, if it remembers
		input  func(*PlanInput)
		seen   time.Duration
		want   string // in the trace with the change, and not in the one without
	}
	tolerant := func(p *policy.Policy) { p.Rings[0].Gate.MaxFailed = 5000 }
	noon := calendar.DateOf(2026, time.March, 2).At(12 * 3600)
	booting := func(m policy.Metric) func(*policy.Policy) {
		m.Name = "boot"
		return func(p *policy.Policy) { p.Health.Metrics = []policy.Metric{m} }
	}
	asking := func(f policy.Feedback) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Health.Feedback = f }
	}
	deferring := func(d policy.Deferrals) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Reboot.Mode, p.Reboot.Deferrals = policy.RebootIfRequired, d }
	}
	probing := func(x policy.Probes) func(*policy.Policy) {
		return func(p *policy.Policy) {
			p.Health.Probes = x
			p.Health.Probes.List = []policy.Probe{{Name: "till", Of: "tilld"}}
		}
	}
	tripping := func(b policy.Breaker) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Breaker, p.MaxActive, p.Rings[0].Gate.MaxFailed = b, 1, 5000 }
	}
	comparing := func(by policy.Share, c policy.Control) func(*policy.Policy) {
		return func(p *policy.Policy) {
			booting(policy.Metric{By: by})(p)
			p.Rings[0].Gate, p.Rings[1].Gate.MaxFailed = policy.Gate{MaxFailed: 10000, Control: c}, 10000
		}
	}
	hosted := func(in *PlanInput) { // dev-3 runs on dev-15
		if in.Policy.HostLabel != "" {
			in.Hosts, in.Targets[3].Host = []inventory.DeviceID{"", "dev-15"}, 1
		}
	}
	remedying := func(all ...policy.Remedy) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Retry.Remedies = all }
	}
	morning := func(p *policy.Policy) { p.Windows = []policy.Window{{Start: 8 * 60, End: 10 * 60, Zone: "UTC"}} }
	inDomains := func(in *PlanInput) {
		for i := range in.Policy.Budgets {
			in.Places = [][]uint32{{0}}
			in.Domains = []Domain{{Budget: i, Tenant: in.Tenant, Devices: 20}}
		}
	}
	draining := func(p *policy.Policy) { p.Budgets = []policy.Budget{{Name: "all", Count: 20, Drain: true}} }
	cases := map[string]testCase{
		"Salt": {change: func(p *policy.Policy) { p.Salt = "s" }, want: "install dev-10 dev-7"},
		"Strata": {input: func(in *PlanInput) {
			for i := range in.Targets { // by chance the first five all have odd numbers
				if in.Policy.Strata != nil {
					in.Targets[i].Stratum = uint16(i % 2)
				}
			}
			if in.Policy.Strata != nil {
				in.Strata = [][]string{{"a"}, {"b"}}
			}
		}, change: func(p *policy.Policy) { p.Strata = []string{"site"} }, want: "\n0h install dev-15 dev-3 dev-9 dev-12 dev-18\n"},
		"HostLabel": {input: hosted, change: func(p *policy.Policy) { p.HostLabel = "host" }, want: "\n0h install dev-15\n"},
		"Guests": {answer: func(t Task) *Report {
			if t.Op == OpInstall && t.Device == "dev-3" {
				return &Report{Phase: PhaseFailed, Fault: patch.Unreachable}
			}
			return fine(t)
		}, input: hosted, base: func(p *policy.Policy) {
			p.HostLabel, p.Retry.Grace = "host", 2*hour
		}, change: func(p *policy.Policy) { p.Guests = policy.GuestsAwaitedInGrace }, want: "dev-15: succeeded"},
		"Joiners":     {change: func(p *policy.Policy) { p.Joiners = policy.JoinersAdmitted }, want: "gate of ring second: pass, 16 of 16"},
		"StartJitter": {change: func(p *policy.Policy) { p.StartJitter = hour }, want: "\n0.3984375h install dev-9\n"},
		"MaxActive":   {change: func(p *policy.Policy) { p.MaxActive = 3 }, want: "at most 3 at once"},
		"Rate.Count": {base: func(p *policy.Policy) { p.Rate = policy.Rate{Count: 4, Every: hour} },
			change: func(p *policy.Policy) { p.Rate.Count = 2 }, want: "at most 2 at once"},
		"Rate.Every": {base: func(p *policy.Policy) { p.Rate = policy.Rate{Count: 4, Every: hour} },
			change: func(p *policy.Policy) { p.Rate.Every = 3 * hour }, want: "\n3h install dev-19"},
		"Windows": {change: func(p *policy.Policy) { p.Windows = []policy.Window{{Start: 22 * 60, End: 23 * 60, Zone: "UTC"}} }, want: "\n13h install"},

		"Download.Windows": {base: morning, change: func(p *policy.Policy) {
			p.Download.Windows = []policy.Window{{Start: 20 * 60, End: 21 * 60, Zone: "UTC"}}
		}, input: func(in *PlanInput) { in.At = in.At.Add(2 * time.Hour) }, want: "\n9h download"},
		"Ring.Download": {base: morning, change: func(p *policy.Policy) {
			p.Rings[0].Download.Windows = []policy.Window{{Start: 20 * 60, End: 21 * 60, Zone: "UTC"}}
		}, input: func(in *PlanInput) { in.At = in.At.Add(2 * time.Hour) }, want: "\n9h download"},
		"Freezes": {change: func(p *policy.Policy) {
			p.Freezes = []policy.Freeze{{Name: "f", From: noon - 12*3600, Until: noon + 8*3600, Zone: "UTC"}}
		}, want: "\n11h install"},
		"Fit.Work": {base: morning, change: func(p *policy.Policy) { p.Fit.Work = hour }, want: "\n23h install"},
		"Fit.Reboot": {base: func(p *policy.Policy) { morning(p); p.Reboot.Mode = policy.RebootIfRequired },
			change: func(p *policy.Policy) { p.Fit.Reboot = hour }, want: "\n23h install"},

		"Missed": {base: morning, answer: func(t Task) *Report {
			if t.Op == OpInstall && t.Issued.Hour() == 9 && t.Issued.Day() == 2 {
				return &Report{Phase: PhaseFailed, Fault: patch.Unreachable}
			}
			return fine(t)
		}, seen: 6 * time.Hour, change: func(p *policy.Policy) { p.Missed = policy.MissedRuns }, want: "\n6h install"},

		"Ring.Name":       {change: func(p *policy.Policy) { p.Rings[0].Name = "other" }, want: "ring other opens"},
		"Ring.Size":       {change: func(p *policy.Policy) { p.Rings[0].Size, p.Rings[0].Share = 7, 0 }, want: "gate of ring first: pass, 7 of 7"},
		"Ring.Share":      {change: func(p *policy.Policy) { p.Rings[0].Share = 1000 }, want: "gate of ring first: pass, 2 of 2"},
		"Ring.Rest":       {change: func(p *policy.Policy) { p.Rings[1].Rest = false }, want: "belong to no ring"},
		"Ring.MinDevices": {change: func(p *policy.Policy) { p.Rings[0].MinDevices = 9 }, want: "gate of ring first: pass, 9 of 9"},
		"Ring.Shows":      {base: func(p *policy.Policy) { p.Rings[0].Share = 500 }, change: func(p *policy.Policy) { p.Rings[0].Shows = 5000 }, want: "gate of ring first: pass, 4 of 4"},
		"Ring.Approval":   {change: func(p *policy.Policy) { p.Rings[0].Approval = true }, want: "asks leave"},
		"Ring.Need":       {change: func(p *policy.Policy) { p.Rings[1].Need.Quorum = 2 }, want: "asks leave for 15 devices (x:p1), of 2 people"},
		"Need":            {change: func(p *policy.Policy) { p.Need.Quorum = 1 }, want: "asks leave for 20 devices (x:p1), the whole rollout"},
		"Ring.Ramp":       {change: func(p *policy.Policy) { p.Rings[1].Ramp = 3 }, want: "install dev-12 dev-18 dev-14"},
		"Ring.MaxActive":  {change: func(p *policy.Policy) { p.Rings[1].MaxActive = 4 }, want: "at most 5 at once"},
		"Ring.Windows": {change: func(p *policy.Policy) {
			p.Rings[1].Windows = []policy.Window{{Start: 20 * 60, End: 21 * 60, Zone: "UTC"}}
		}, want: "\n11h install"},

		"Gate.Denominator": {answer: func(t Task) *Report {
			if t.Op == OpInstall && t.Handle.Device == 0 {
				return &Report{Phase: PhaseFailed, Fault: patch.Unreachable}
			}
			return fine(t)
		}, base: func(p *policy.Policy) { p.Retry.Grace = 2 * hour }, change: func(p *policy.Policy) { p.Rings[0].Gate.Denominator = policy.Reached },
			want: "gate of ring first: pass, 4 of 4"},
		"Gate.MinSuccess": {answer: failing(1, patch.Permanent), base: tolerant, change: func(p *policy.Policy) { p.Rings[0].Gate.MinSuccess = 9000 }, want: "ring first is held: inconclusive"},
		"Gate.MaxFailed":  {answer: failing(1, patch.Permanent), change: tolerant, want: "gate of ring first: pass, 4 of 5"},
		"Gate.MinSample":  {change: func(p *policy.Policy) { p.Rings[0].Gate.MinSample = 6 }, want: "ring first is held: inconclusive"},
		"Gate.MinCoverage": {answer: failing(2, patch.Unreachable), base: func(p *policy.Policy) {
			p.Rings[0].Gate.MinSuccess, p.Rings[0].Gate.MaxFailed, p.Retry.Grace = 5000, 5000, 2*hour
		},
			change: func(p *policy.Policy) { p.Rings[0].Gate.MinCoverage = 9000 }, want: "ring first is held: inconclusive"},
		"Gate.Soak":    {change: func(p *policy.Policy) { p.Rings[0].Gate.Soak = 24 * hour }, want: "24h gate of ring first: pass"},
		"Gate.Manual":  {change: func(p *policy.Policy) { p.Rings[0].Gate.Manual = true }, want: "ring first is held: manual"},
		"Gate.Timeout": {answer: silentOn(OpInstall), base: func(p *policy.Policy) { p.Retry.Timeout = 50 * hour }, change: func(p *policy.Policy) { p.Rings[0].Gate.Timeout = 5 * hour }, want: "5h ring first is held: timeout"},
		"Gate.OnTimeout": {answer: silentOn(OpInstall), base: func(p *policy.Policy) { p.Retry.Timeout, p.Rings[0].Gate.Timeout = 50*hour, 5*hour },
			change: func(p *policy.Policy) { p.Rings[0].Gate.OnTimeout = policy.TimeoutFails }, want: "5h gate of ring first: fail"},

		"Evidence.Tolerate": {answer: failing(3, patch.Permanent), base: func(p *policy.Policy) { p.Rings[0].Gate.MaxFailed = 8000 },
			change: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Tolerate = 200 }, want: "gate of ring first: fail, 3 of 5 failed (evidence)"},
		"Evidence.Below": {base: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Tolerate = 200 },
			change: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Below = 500 }, want: "ring first is held: inconclusive"},
		"Evidence.Confidence": {answer: failing(2, patch.Permanent), base: func(p *policy.Policy) {
			p.Rings[0].Gate.MaxFailed, p.Rings[0].Gate.Evidence.Tolerate = 8000, 200
		}, change: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Confidence = 9900 }, want: "gate of ring first: pass, 3 of 5 succeeded"},
		"Evidence.Within": {answer: func(t Task) *Report {
			if t.Op == OpInstall && t.Handle.Device < 3 {
				return nil
			}
			return fine(t)
		}, base: func(p *policy.Policy) {
			p.Retry.Timeout, p.Rings[0].Gate.MaxFailed, p.Rings[0].Gate.MinSuccess, p.Rings[0].Gate.Evidence.Tolerate = 50*hour, 1000, 9000, 200
		}, change: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Within = 5 * hour }, want: "5h gate of ring first: fail, 0 of 5 failed (evidence)"},
		"Evidence.Pooled": {base: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Tolerate = 200 },
			change: func(p *policy.Policy) { p.Rings[0].Gate.Evidence.Pooled = true }, want: "0h elsewhere 50 of 100 devices of 5 tenants failed with x:p1"},

		// The first ring has five devices, on which boot takes longer after the installation than before. So it does on all others, but
		// theirs is part of the baseline in part.
		"Control.Devices": {base: comparing(0, policy.Control{}), change: comparing(0, policy.Control{Devices: 2}), want: "\n24h gate of ring first: pass, 0 of 5 succeeded, 5 failed; 5 of 5 worse beside 2 of 2 that got nothing"},
		"Control.Within":  {base: comparing(0, policy.Control{Devices: 2}), change: comparing(0, policy.Control{Devices: 2, Within: 2 * hour}), want: "\n2h gate of ring first: pass"},
		"Control.Least":   {base: comparing(0, policy.Control{Devices: 15}), change: comparing(0, policy.Control{Devices: 30, Least: 16}), want: "ring first is held: control"},
		"Control.Confidence": {base: comparing(1500, policy.Control{Devices: 5}), change: comparing(1500, policy.Control{Devices: 5, Confidence: 9999}),
			want: "gate of ring first: pass, 0 of 5 succeeded, 5 failed; 5 of 5 worse beside 0 of 5 that got nothing, e-value 135"},

		"Retry.Attempts":        {answer: failing(1, patch.Transient), change: func(p *policy.Policy) { p.Retry.Attempts = 1 }, want: "\n0h gate of ring first: fail"},
		"Retry.Backoff":         {answer: failing(1, patch.Transient), change: func(p *policy.Policy) { p.Retry.Backoff = 5 * hour }, want: "again at 2026-03-02 14:"},
		"Retry.MaxBackoff":      {answer: failing(1, patch.Transient), base: func(p *policy.Policy) { p.Retry.Backoff = 5 * hour }, change: func(p *policy.Policy) { p.Retry.MaxBackoff = 5 * hour }, want: "again at 2026-03-02 19:"},
		"Retry.BusyEvery":       {answer: failing(1, patch.Busy), change: func(p *policy.Policy) { p.Retry.BusyEvery = 2 * hour }, want: "2h install"},
		"Retry.BusyLimit":       {answer: failing(1, patch.Busy), change: func(p *policy.Policy) { p.Retry.BusyLimit, p.Retry.Attempts = 2, 1 }, want: "0.16666666666666666h gate of ring first: fail"},
		"Retry.OfflineEvery":    {answer: failing(1, patch.Unreachable), change: func(p *policy.Policy) { p.Retry.OfflineEvery = 7 * hour }, want: "again at 2026-03-02 16:00 UTC (unreachable)\n0h verify"},
		"Retry.Grace":           {answer: failing(1, patch.Unreachable), change: func(p *policy.Policy) { p.Retry.Grace = 3 * hour }, want: "\n3h dev-15: unreachable for too long"},
		"Retry.OfflineDeadline": {answer: failing(1, patch.Unreachable), base: func(p *policy.Policy) { p.Retry.Grace, p.Retry.OfflineEvery = 2*hour, 9*hour }, change: func(p *policy.Policy) { p.Retry.OfflineDeadline = 5 * hour }, want: "\n5h dev-15: away (unreachable)\n5h ring first is open again\n5h gate of ring first: pass, 4 of 4"},
		"Retry.Timeout":         {answer: silentOn(OpInstall), change: func(p *policy.Policy) { p.Retry.Timeout = 2 * hour }, want: "2h verify"},

		"Retry.Remedies": {answer: failing(1, patch.Corrupt), change: remedying(policy.Remedy{Fault: patch.DiskFull}, policy.Remedy{Fault: patch.Corrupt}), want: "h remedy dev-15"},
		"Remedy.Fault":   {answer: failing(1, patch.Corrupt), base: remedying(policy.Remedy{Fault: patch.DiskFull}), change: remedying(policy.Remedy{Fault: patch.Corrupt}), want: "remedy for corrupt done"},
		"Remedy.Max":     {answer: failing(1, patch.Corrupt), base: remedying(policy.Remedy{Fault: patch.Corrupt}), change: remedying(policy.Remedy{Fault: patch.Corrupt, Max: 2}), want: "\n0.518453828995h remedy dev-15"},

		"Budget.Drain": {input: inDomains, base: func(p *policy.Policy) { p.Budgets = []policy.Budget{{Name: "all", Count: 20}} },
			change: draining, want: "\n0h drain dev-15"},
		"Drain.Timeout": {answer: silentOn(OpDrain), input: inDomains, base: draining, change: func(p *policy.Policy) { p.Drain.Timeout = 2 * hour },
			want: "\n2h dev-15: no answer in time"},

		"Budget.Breaker": {answer: failing(1, patch.Transient), input: inDomains, base: func(p *policy.Policy) { p.Budgets, p.MaxActive = []policy.Budget{{Name: "all", Count: 20}}, 1 },
			change: func(p *policy.Policy) { p.Budgets[0].Breaker.Failures = 1 }, want: "0h breaker of budget all at tenant acme trips: 1 of 1 tries failed (transient)"},
		"Breaker.Failures": {answer: failing(2, patch.Transient), base: tripping(policy.Breaker{Failures: 3}), change: tripping(policy.Breaker{Failures: 2}), want: "\n0h breaker of x:p1 trips"},
		"Breaker.Of": {answer: failing(2, patch.Transient), base: tripping(policy.Breaker{Failures: 3}), change: tripping(policy.Breaker{Failures: 3, Of: 9}),
			want: "breaker of x:p1 trips: 3 of 9 tries failed (transient)"},
		"Breaker.Within": {answer: failing(2, patch.Transient), base: tripping(policy.Breaker{Failures: 3}), change: tripping(policy.Breaker{Failures: 3, Within: hour / 3}),
			want: "0.5329931713388889h dev-15: failed (transient)"},
		"Breaker.Pause": {answer: failing(1, patch.Transient), base: tripping(policy.Breaker{Failures: 1}), change: tripping(policy.Breaker{Failures: 1, Pause: 4 * hour}), want: "\n4h breaker of x:p1: one try"},

		"Reboot.Mode": {answer: owing, change: func(p *policy.Policy) { p.Reboot.Mode = policy.RebootIfRequired }, want: "reboot dev-"},
		"Reboot.Timeout": {answer: func(t Task) *Report {
			if t.Op == OpReboot {
				return nil
			}
			return owing(t)
		}, base: func(p *policy.Policy) { p.Reboot.Mode = policy.RebootIfRequired }, change: func(p *policy.Policy) { p.Reboot.Timeout = 2 * hour }, want: "\n2h verify"},

		"Deferrals.Max":      {answer: owing, base: deferring(policy.Deferrals{}), change: deferring(policy.Deferrals{Max: 1}), want: "restart announced"},
		"Deferrals.Notice":   {answer: owing, base: deferring(policy.Deferrals{Max: 1}), change: deferring(policy.Deferrals{Max: 1, Notice: 2 * hour}), want: "\n2h reboot"},
		"Deferrals.Each":     {answer: owing, base: deferring(policy.Deferrals{Max: 1}), change: deferring(policy.Deferrals{Max: 1, Each: 2 * hour}), want: "\n2h reboot"},
		"Deferrals.Deadline": {answer: owing, base: deferring(policy.Deferrals{Max: 1}), change: deferring(policy.Deferrals{Max: 1, Deadline: 3 * hour}), want: "\n3h reboot"},

		"Reboot.Quiet": {answer: owing, base: func(p *policy.Policy) { p.Reboot.Mode = policy.RebootIfRequired },
			change: func(p *policy.Policy) {
				p.Reboot.Quiet = []policy.Window{{Start: 9 * 60, End: 12 * 60, Zone: "UTC"}}
			}, want: "\n3h reboot"},
		"Reboot.Before": {anew: awaiting, base: func(p *policy.Policy) { p.Reboot.Mode = policy.RebootIfRequired },
			change: func(p *policy.Policy) { p.Reboot.Before = policy.BeforeIfPending }, want: "waits for a restart, which comes first\n0h reboot"},
		"Reboot.Windows": {answer: owing, base: func(p *policy.Policy) { p.Reboot.Mode = policy.RebootIfRequired },
			change: func(p *policy.Policy) {
				p.Reboot.Windows = []policy.Window{{Start: 20 * 60, End: 21 * 60, Zone: "UTC"}}
			}, want: "\n11h reboot"},

		"Health.Metrics": {change: booting(policy.Metric{}), want: "worse than before, boot 12 after 10, limit 10"},
		"Metric.Worse":   {base: booting(policy.Metric{}), change: booting(policy.Metric{Worse: policy.WorseDown}), want: "rollout is done"},
		"Metric.By":      {base: booting(policy.Metric{}), change: booting(policy.Metric{By: 3000}), want: "rollout is done"},
		"Metric.Least":   {base: booting(policy.Metric{}), change: booting(policy.Metric{Least: 2}), want: "rollout is done"},
		"Metric.Samples": {base: booting(policy.Metric{}), change: booting(policy.Metric{Samples: 2}), want: "rollout is done"},
		"Metric.Required": {base: booting(policy.Metric{Samples: 2}), change: booting(policy.Metric{Samples: 2, Required: true}),
			want: "ring first is held: health"},
		"Backup.Need": {answer: backing(time.Minute), change: func(p *policy.Policy) { p.Backup.Need = policy.BackupRequired }, want: "\n0h backup dev-"},
		"Backup.MaxAge": {answer: backing(10 * time.Hour), base: func(p *policy.Policy) { p.Backup.Need = policy.BackupRequired },
			change: func(p *policy.Policy) { p.Backup.MaxAge = 24 * hour }, want: ": backed up\n0h install"},

		"Feedback.Count":   {base: asking(policy.Feedback{Broke: 10000}), change: asking(policy.Feedback{Count: 1}), want: "gate of ring first: fail, 0 of 5 failed (feedback)"},
		"Feedback.Broke":   {base: asking(policy.Feedback{Broke: 10000}), change: asking(policy.Feedback{Broke: 3000}), want: "gate of ring first: fail, 0 of 5 failed (feedback)"},
		"Feedback.Of":      {base: asking(policy.Feedback{Broke: 3000}), change: asking(policy.Feedback{Broke: 3000, Of: policy.OfDevices}), want: "rollout is done"},
		"Feedback.Answers": {base: asking(policy.Feedback{Broke: 3000}), change: asking(policy.Feedback{Broke: 3000, Answers: 10}), want: "rollout is done"},

		"EscalationLevel.Attempts": {answer: failing(1, patch.Permanent), change: func(p *policy.Policy) {
			p.Escalation = []policy.EscalationLevel{{Name: "boss", Attempts: 1}}
		}, want: "boss is to know of ring"},
		"EscalationLevel.Failed": {answer: failing(1, patch.Permanent), change: func(p *policy.Policy) {
			p.Escalation = []policy.EscalationLevel{{Name: "boss", Failed: 1}}
		}, want: "boss is to know of ring"},
		"EscalationLevel.Waiting": {answer: failing(5, patch.Permanent), change: func(p *policy.Policy) {
			p.Escalation = []policy.EscalationLevel{{Name: "boss", Waiting: 7 * hour}}
		}, want: "7h boss is to know of ring"},
		"Probes.List": {answer: finding(false, 0), change: probing(policy.Probes{}), want: "\n0h precheck dev-"},
		"Probes.Before": {answer: finding(true, 0), base: probing(policy.Probes{}), change: probing(policy.Probes{Before: policy.ProbeLeavesOut}),
			want: "dev-15: not well before, till not up, so left out\n0h dev-15: skipped"},
		"Probes.Failed": {anew: func() func(Task) *Report { return finding(false, 60*time.Hour) }, base: probing(policy.Probes{}), change: probing(policy.Probes{Failed: policy.ProbeUnwell}),
			want: "dev-15: till not up after the installation, so worse than before\n0.25h dev-15: succeeded\n0.25h gate of ring first: fail, 1 of 5 failed"},
		"Probes.Within": {anew: func() func(Task) *Report { return finding(false, 2*time.Hour) }, base: probing(policy.Probes{}), change: probing(policy.Probes{Within: 3 * hour}),
			want: "2h gate of ring first: pass, 5 of 5"},
		"Probes.Every": {anew: func() func(Task) *Report { return finding(false, 9*time.Minute) }, base: probing(policy.Probes{}), change: probing(policy.Probes{Every: hour / 6}),
			want: "\n0.16666666666666666h gate of ring first: pass, 5 of 5"},

		"Rollback.On": {answer: failing(1, patch.Permanent), change: func(p *policy.Policy) { p.Rollback.On = policy.FailRollsBackRing }, want: "roll back"},
		"Rollback.MaxFailed": {answer: unreturning, base: func(p *policy.Policy) { p.Rollback.On = policy.FailRollsBackAll; p.MaxActive = 1 },
			change: func(p *policy.Policy) { p.Rollback.MaxFailed = 1000 }, want: "rollbacks are halted"},
		"Rollback.MaxFailures": {answer: unreturning, base: func(p *policy.Policy) { p.Rollback.On = policy.FailRollsBackAll; p.MaxActive = 1 },
			change: func(p *policy.Policy) { p.Rollback.MaxFailures = 1 }, want: "rollbacks are halted: 2 of"},
		"Rollback.InWindows": {answer: neverEnding, base: func(p *policy.Policy) {
			morning(p)
			p.Rollback.On, p.Retry.Attempts = policy.FailRollsBackAll, 1
		}, change: func(p *policy.Policy) { p.Rollback.InWindows = true }, want: "\n23h rollback"},
		"Rollback.Wait": {answer: neverEnding, base: func(p *policy.Policy) {
			p.Rollback.On = policy.FailRollsBackAll
			p.Rollback.Wait, p.Retry.Attempts = 200*hour, 1
		},
			change: func(p *policy.Policy) { p.Rollback.Wait = 2 * hour }, want: "rollback-failed (needs-user)"},
		"Rollback.Irreversible": {answer: failing(1, patch.Permanent), base: func(p *policy.Policy) { p.Rollback.On = policy.FailRollsBackAll },
			input: func(in *PlanInput) { in.Contents[0].Patches[0].Reversal = patch.ReversalNone }, change: func(p *policy.Policy) { p.Rollback.Irreversible = true }, want: "not rolled back: x:p1 cannot be taken back"},
	}
	// Names and containers, what package policy decides, what tells rollouts apart (TestTheHighestPriorityIsNext of package runner), and the claim of a selector, which has a test of its own.
	elsewhere := []string{"Name", "Priority", "Rules", "Rings", "Budgets", "Rate", "Retry", "Drain", "Breaker", "Reboot", "Rollback", "Backup", "Health", "Fit", "Download", "Ring.Gate", "Ring.Devices", "Gate.Evidence", "Gate.Control",
		"Deadlines", "Exceptions", "Holds", "Rollback.Acknowledged", "Metric.Name", "Health.Feedback", "Health.Probes", "Reboot.Deferrals", "Escalation", "EscalationLevel.Name", "Covers"}
	for typ, prefix := range map[reflect.Type]string{reflect.TypeFor[policy.Policy](): "", reflect.TypeFor[policy.Ring](): "Ring.", reflect.TypeFor[policy.Gate](): "Gate.", reflect.TypeFor[policy.Evidence](): "Evidence.", reflect.TypeFor[policy.Control](): "Control.",
		reflect.TypeFor[policy.Retry](): "Retry.", reflect.TypeFor[policy.Reboot](): "Reboot.", reflect.TypeFor[policy.Rollback](): "Rollback.", reflect.TypeFor[policy.Backup](): "Backup.", reflect.TypeFor[policy.Fit](): "Fit.", reflect.TypeFor[policy.Download](): "Download.",
		reflect.TypeFor[policy.Health](): "Health.", reflect.TypeFor[policy.Metric](): "Metric.", reflect.TypeFor[policy.Feedback](): "Feedback.",
		reflect.TypeFor[policy.Probes](): "Probes.", reflect.TypeFor[policy.Deferrals](): "Deferrals.", reflect.TypeFor[policy.Rate](): "Rate.", reflect.TypeFor[policy.Breaker](): "Breaker.", reflect.TypeFor[policy.Remedy](): "Remedy.", reflect.TypeFor[policy.Drain](): "Drain.", reflect.TypeFor[policy.EscalationLevel](): "EscalationLevel."} {
		for i := range typ.NumField() {
			name := prefix + typ.Field(i).Name
			_, ok := cases[name]
			require.True(t, ok || slices.Contains(elsewhere, name), "the setting %s has no case here", name)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.answer == nil {
				c.answer = fine
			}
			run := func(changes ...func(*policy.Policy)) string {
				in := input(20, share("first", 2500), policy.Ring{Name: "second", Rest: true})
				in.Contents[0].Patches[0].Reversal = patch.ReversalReinstall
				for _, change := range changes {
					if change != nil {
						change(&in.Policy)
					}
				}
				if c.input != nil {
					c.input(&in)
				}
				if c.anew != nil {
					c.answer = c.anew()
				}
				return trace(t, in, c.answer, c.seen)
			}
			require.NotContains(t, run(c.base), c.want)
			require.Contains(t, run(c.base, c.change), c.want)
		})
	}
}
