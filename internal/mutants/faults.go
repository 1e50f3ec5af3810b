package main

import (
	"bytes"
	"fmt"
)

// A fault is a mistake that somebody might make.
type fault struct {
	Name  string   // what goes wrong
	File  string   // in which file, from the top of the module
	Old   string   // stands there once
	New   string   // takes its place
	Tests []string // the packages whose tests are to notice, the quickest first
}

func (f fault) apply(source []byte) ([]byte, error) {
	if n := bytes.Count(source, []byte(f.Old)); n != 1 {
		return nil, fmt.Errorf("%s: its text stands there %d times, want once", f.File, n)
	}
	if f.Old == f.New {
		return nil, fmt.Errorf("%s: it changes nothing", f.File)
	}
	return bytes.Replace(source, []byte(f.Old), []byte(f.New), 1), nil
}

func engine() []string { return []string{"./rollout", "./rollout/rollouttest", "./rollout/runner"} }

func policies() []string { return []string{"./policy", "./rollout/rollouttest"} }

func simulation() []string { return []string{"./rollout/simulate"} }

// Faults returns all faults, in the order in which a patch goes through its life.
func faults() []fault {
	return []fault{
		// The plan.
		{"a device that stands twice is taken twice", "rollout/plan.go",
			"if c == 0 {\n\t\t\t\t\treturn nil, 0, fmt.Errorf(\"device %s stands twice\", x)\n\t\t\t\t}\n", "", engine()},
		{"the order of the devices is the same in every rollout", "rollout/plan.go",
			"return xxh64.Sum(xxh64.Sum(0, salt), string(t))", "return xxh64.Sum(0, string(t))", engine()},
		{"the first of two rings gets what is left over", "rollout/plan.go",
			"return cmp.Compare(remainders[b], remainders[a])", "return 0", engine()},
		{"a ring is as small as its share, whatever it is to show", "policy/sample.go",
			"least = max(least, min(need, (devices+3)/4))", "_ = need", append(engine(), "./policy")},
		{"strata are forgotten", "rollout/strata.go",
			"if len(in.Strata) == 0 {\n\t\treturn nil\n\t}\n\tsizes", "if true {\n\t\treturn nil\n\t}\n\tsizes", engine()},
		{"what is left of a stratum is rounded down only", "rollout/strata.go",
			"if s.left[r] == c.all {", "if s.left[r] > c.all {", engine()},
		{"whoever comes late comes first", "rollout/join.go",
			"c < 0 || c == 0 && j.Device <= end {", "c != 2 {", engine()},
		{"newcomers join a ring that is judged", "rollout/join.go",
			"case ringWaiting, ringAsking, ringOpen, ringStuck:", "default:", engine()},
		{"newcomers are no part of their ring", "rollout/join.go",
			"m.rings[a.Ring].joined++\n", "", engine()},
		{"a newcomer brings a patch that nobody gave leave for", "rollout/join.go",
			"return !asks || slices", "return asks || !asks || slices", engine()},
		{"a ring that comes later is a test of what the first one lacks", "rollout/census.go",
			"p.RingOf(at) < rings", "p.RingOf(at) >= 0", engine()},
		{"the gate of an empty ring is forgotten", "rollout/plan.go",
			"planned.Gate = planned.Gate.Stricter(empty.Gate)", "_ = empty.Gate", engine()},
		{"an irreversible patch is planned under a policy that rolls back", "rollout/plan.go",
			"!x.Reversal.Possible() {", "false {", engine()},
		// Leave.
		{"who asks may approve", "policy/approval_settle.go",
			"case d.Ruling == Approved && same(d.By, s.request.By):", "case false:", policies()},
		{"an approval counts for whatever it was given", "policy/approval_settle.go",
			"case d.Digest != s.request.Digest && (d.Ruling == Approved || d.Digest != \"\"):", "case false:", policies()},
		{"an approval never expires", "policy/approval_settle.go",
			"case !d.Expires.IsZero() && !s.now.Before(d.Expires):", "case false:", policies()},
		{"an emergency lifts what it likes", "policy/approval_settle.go",
			"return !n.Emergency || !n.entitles(d) || !b.within(n.Bypass)", "return !n.Emergency || !n.entitles(d)", policies()},
		{"an emergency lifts the windows of every ring", "rollout/approval.go",
			"if m.rings[r].request.Whole {", "if true {", engine()},
		{"one person is a quorum", "policy/approval_settle.go",
			"if have < n.people() && !rule {", "if have < 1 && !rule {", policies()},
		{"a rule approves the first ring", "policy/approval_settle.go",
			"case len(s.request.Passed) == 0:\n\t\treturn VoteEarly", "case false:\n\t\treturn VoteEarly", policies()},
		// Rings and gates.
		{"a ring opens beside the one before it", "rollout/advance.go",
			"case ring.state != ringWaiting:\n\t\t\treturn false", "case ring.state != ringWaiting:\n\t\t\tcontinue", engine()},
		{"a ring that has to ask opens at once", "rollout/advance.go",
			"case m.plan.Rings[r].asks():\n\t\t\tm.ask(r)", "case false:\n\t\t\tm.ask(r)", engine()},
		{"a promotion tells nothing of the gate: devices that were rolled back are no failures", "rollout/advance.go",
			"return c.Failed + c.RolledBack + c.Stuck", "return c.Failed + c.Stuck", engine()},
		{"devices that need nothing stay in the denominator", "rollout/advance.go",
			"c.Denominator = c.Devices - c.Left - c.NoNeed\n\t}", "c.Denominator = c.Devices - c.Left\n\t}", engine()},
		{"there is no smallest sample", "rollout/advance.go",
			"enough := c.Sample >= g.MinSample", "enough := true", engine()},
		{"no floor of coverage", "rollout/advance.go",
			"g.MinCoverage > 0 &&", "g.MinCoverage > 10000 &&", engine()},
		{"a ring that has passed cannot fail any more", "rollout/advance.go",
			"case failed && !ring.promoted:", "case failed && !ring.promoted && ring.state != ringPassed:", engine()},
		{"a ring does not soak", "rollout/advance.go",
			"case good && ring.gate.Soak > 0 && ring.soak == 0:", "case false:", engine()},
		{"a device that is worse than before is a success", "rollout/advance.go",
			"Succeeded:  n(Succeeded) - ring.unwell,", "Succeeded:  n(Succeeded),", engine()},
		{"devices that nobody has measured are well", "rollout/health.go",
			"return c.Unmeasured == 0 ||", "return true ||", engine()},
		{"what a device says while it is patched is part of its baseline", "rollout/health.go",
			"case first == 0 || taken < first:", "case first == 0 || dev.outcome != Succeeded:", engine()},
		{"a person who complains twice is two", "rollout/feedback.go",
			"case last.word == s.Word:\n\t\treturn nil", "case false:\n\t\treturn nil", engine()},
		{"complaints make no gate fail", "rollout/advance.go",
			"case m.complained(r) && !ring.promoted:", "case false:", engine()},
		{"a restart is put off for ever", "rollout/deferral.go",
			"until := min(m.now+int64(m.reboot.Deferrals.Each), a.delay.deadline)", "until := m.now + int64(m.reboot.Deferrals.Each)", engine()},
		{"a restart is put off as often as people like", "rollout/deferral.go",
			"case int(a.delay.times) >= m.reboot.Deferrals.Max:", "case false:", engine()},
		{"what fails in the soak is overlooked", "rollout/advance.go",
			"case ringSoaking:\n\t\tswitch {\n\t\tcase !good:", "case ringSoaking:\n\t\tswitch {\n\t\tcase false:", engine()},
		{"a manual gate passes by itself", "rollout/advance.go",
			"if m.rings[r].gate.Manual {", "if false {", engine()},
		{"paused time uses up the time limit of a gate", "rollout/apply.go",
			"ring.deadline += m.now - max(m.pausedAt, ring.opened)", "ring.deadline += 0", engine()},
		// Devices.
		{"a ring works on one device more than it may", "rollout/wanted.go",
			"return r.limit > 0 && r.active+inRing >= r.limit", "return r.limit > 0 && r.active+inRing > r.limit", engine()},
		{"two rollouts work on one device", "rollout/agenda.go",
			"a.claims.put(m, d, now)\n\t\t\treturn false\n", "_ = taken\n", engine()},
		{"a priority tells nobody apart", "rollout/claim.go",
			"x.priority > m.plan.Policy.Priority && ", "false && ", engine()},
		{"what is granted uses up no budget", "rollout/agenda.go",
			"a.ledger.mark(budgets, d)", "_ = budgets", engine()},
		{"a device that could not be reached gives nothing back to the rate", "rollout/apply.go",
			"m.rates.drop(m.plan, d, begun)", "_ = begun", engine()},
		{"the rate of a budget is that of one rollout", "rollout/rate.go",
			"; ok && other != pg {", "; ok && other == nil {", engine()},
		{"a device that failed uses up no budget", "rollout/domain.go",
			"case Succeeded, AlreadyInstalled,", "case Failed, Succeeded, AlreadyInstalled,", engine()},
		{"a hold is not asked about before an installation", "rollout/agenda.go",
			"return !held\n", "return true\n", engine()},
		{"a retry waits no longer each time", "rollout/step.go",
			"pause *= 2", "pause *= 1", engine()},
		{"a busy device has used up an attempt", "rollout/step.go",
			"m.postpone(d, fault, false, m.now+max(int64(m.retry.BusyEvery), int64(r.RetryAfter)))",
			"m.postpone(d, fault, true, m.now+max(int64(m.retry.BusyEvery), int64(r.RetryAfter)))", engine()},
		{"an untrusted artefact is tried again", "rollout/step.go",
			"case fault == patch.Permanent || fault == patch.Untrusted:\n\t\tm.settle(d, Failed, fault)\n\tdefault:\n\t\tm.again(d, r, fault, int(dev.attempts), Failed)",
			"case fault == patch.Permanent:\n\t\tm.settle(d, Failed, fault)\n\tdefault:\n\t\tm.again(d, r, fault, int(dev.attempts), Failed)", engine()},
		{"the word of the deployer is enough", "rollout/step.go",
			"m.next(d, OpReboot)\n\t\t} else {\n\t\t\tm.next(d, OpVerify)\n\t\t}\n\tcase r.Phase == PhaseStopped:",
			"m.next(d, OpReboot)\n\t\t} else {\n\t\t\tm.settle(d, Succeeded, patch.NoFault)\n\t\t}\n\tcase r.Phase == PhaseStopped:", engine()},
		{"a lost connection while restarting is a failure", "rollout/step.go",
			"case r.Phase == PhaseSucceeded, dev.flags&undone != 0, fault == patch.Unreachable:",
			"case r.Phase == PhaseSucceeded, dev.flags&undone != 0:", engine()},
		{"a device restarts without end", "rollout/step.go",
			"if dev.reboots >= rebootLimit {\n\t\t\tm.settle(d, Failed, patch.Permanent)", "if false {\n\t\t\tm.settle(d, Failed, patch.Permanent)", engine()},
		{"a report counts twice", "rollout/step.go",
			"if dev.state == running && r.Seq == dev.seq && dev.flags&picked == 0 {", "if dev.state == running && r.Seq <= dev.seq && dev.flags&picked == 0 {", engine()},
		{"an outcome is overwritten by the next", "rollout/apply.go",
			"if dev.state == settled {\n\t\t\tcontinue\n\t\t}\n\t\tif dev.flags&session == 0", "if dev.flags&session == 0", engine()},
		{"a report after the end of its task goes on with it", "rollout/step.go",
			"if dev.state == running && r.Seq == dev.seq && dev.flags&picked == 0 {", "if r.Seq == dev.seq && dev.flags&picked == 0 {", engine()},
		{"a device that comes back stays out of the denominator", "rollout/apply.go",
			"m.rings[dev.ring].lapsed--\n\t\tm.lapsed--\n\t\tm.dirty = true", "m.dirty = true", engine()},
		{"a task is given another name after a restart", "rollout/apply.go",
			"dev.seq++\n", "dev.seq += 2\n", engine()},
		// Rollback.
		{"a fix for what is exploited is taken back without a word", "rollout/advance.go",
			"case m.isExploited(p) && !force:", "case false:", engine()},
		{"what was rolled back is offered again", "rollout/advance.go",
			"m.emit(Quarantined{Patches: patches, Reason: reason})", "_ = reason", engine()},
		{"the devices that still install are not stopped", "rollout/advance.go",
			"m.emit(Staged{Stage: StageHalted, Code: code, By: c.By, Reason: c.Reason})\n\tm.stopInstalls()",
			"m.emit(Staged{Stage: StageHalted, Code: code, By: c.By, Reason: c.Reason})", engine()},
		{"a rollback begins while what it takes back may be running", "rollout/unended.go",
			"if op == OpRollback && m.awaits(d) ||", "if", engine()},
		{"a backup is made again while the one before may be running", "rollout/step.go",
			"if m.stage == StageActive && dev.flags&undone == 0 {\n\t\t\tm.next(d, OpVerify)", "if false {\n\t\t\tm.next(d, OpVerify)", engine()},
		{"what may be running is waited for for ever", "rollout/unended.go",
			"case isUndone && (m.now >= limit || m.stage == StageEnding):", "case isUndone && m.stage == StageEnding:", engine()},
		{"a look that does not say that nothing runs is believed to", "rollout/apply.go",
			"if r.Idle == patch.Yes && dev.op == OpVerify {", "if r.Idle != patch.No && dev.op == OpVerify {", engine()},
		{"a rollback is not looked at", "rollout/step.go",
			"case r.Phase == PhaseSucceeded, fault.Done():\n\t\t\tm.verifyGone(d)",
			"case r.Phase == PhaseSucceeded, fault.Done():\n\t\t\tm.settle(d, RolledBack, patch.NoFault)", engine()},
		{"what is found to be exploited later is taken back", "rollout/escalate.go",
			"return p.Exploited == patch.Yes || slices.Contains(m.exploited, p.ID)", "return p.Exploited == patch.Yes", engine()},
		{"what has become urgent waits for its turn", "rollout/wanted.go",
			"if m.isUrgent(d) && !take(d) {", "if false && !take(d) {", engine()},
		{"a device is restarted outside of its window", "rollout/step.go",
			"case open:\n\t\tm.bins.add(bin{what: toIssue, op: OpReboot", "case true:\n\t\tm.bins.add(bin{what: toIssue, op: OpReboot", engine()},
		{"a device that was away may begin at any time", "rollout/wanted.go",
			"return !g.open(m.now) && g.schedule.Closed(instant(dev.offline), m.Now())", "return !g.open(m.now)", engine()},
		{"a download takes the place of work", "rollout/apply.go",
			"case e.Op == OpDownload:\n\t\t\tm.loading++", "case e.Op == OpDownload:\n\t\t\tm.loading++\n\t\t\tm.active++", engine()},
		{"a backup is believed without a proof", "rollout/backup.go",
			"r.Phase != PhaseSucceeded || r.Backup.ID == \"\" ||", "r.Phase != PhaseSucceeded ||", engine()},
		{"a backup may be of any age", "rollout/backup.go",
			"at < m.dev[d].issued-int64(m.plan.Policy.Backup.MaxAge)-backupSkew {", "false {", engine()},
		{"a device is patched with a backup that has become too old", "rollout/backup.go",
			"return m.now > b.at+max(int64(m.plan.Policy.Backup.MaxAge), backupSkew)", "return false", engine()},
		{"a device that was changed is backed up once more", "rollout/backup.go",
			"case m.dev[d].flags&unsure != 0:", "case false:", engine()},
		{"a device downloads in any window but its own", "rollout/wanted.go",
			"return m.loads(g) && m.unbegun(d) && !g.open(now) && g.ahead.open(now)", "return m.loads(g) && m.unbegun(d) && !g.open(now)", engine()},
		{"what is withdrawn is tried again", "rollout/advance.go",
			"\t\tm.leave()\n", "", engine()},
		// Recovery.
		{"what was begun is not done again after a restart", "rollout/machine.go",
			"run = append(run, int32(d))\n\t\t\tif m.dev[d].flags&stopped != 0 {", "if m.dev[d].flags&stopped != 0 {", engine()},
		{"a torn entry is taken for whole", "rollout/replay.go",
			"if errors.Is(err, ErrTorn) {\n\t\t\tdid.Torn = err\n\t\t\tcontinue\n\t\t}\n", "if errors.Is(err, ErrTorn) {\n\t\t\terr = nil\n\t\t}\n", engine()},
		{"corruption in the middle of a journal is passed over", "rollout/replay.go",
			"if did.Torn != nil {\n", "if false {\n", engine()},
		// Time.
		{"a window that is over midnight belongs to the day on which it ends", "policy/window.go",
			"minutes += minutesPerDay", "minutes = w.End", policies()},
		{"a window that the clock skips is not skipped", "policy/window.go",
			"if s.skip && walltime.Find(from, s.zone).Gap {", "if false {", policies()},
		{"work begins at the last instant of a window", "policy/window.go",
			"s.opening(day, period); ok && o.close > t {\n\t\t\treturn day, o, true", "s.opening(day, period); ok && o.close >= t {\n\t\t\treturn day, o, true", policies()},
		// What is told of a rollout, before and after it.
		{"a timeline takes what is seen to be gone for verified", "rollout/timeline.go",
			"case x.op == OpVerify && !x.absent && x.phase", "case x.op == OpVerify && x.phase", engine()},
		{"a timeline forgets what an outcome was before it was taken back", "rollout/timeline.go",
			"\t\tt.undoes(e)\n", "", engine()},
		{"a forecast reaches devices that are switched off", "rollout/simulate/model.go",
			"at != now {", "at < 0 {", simulation()},
		{"what a record does not tell goes well at worst, too", "rollout/simulate/compare.go",
			"\tif o.well {", "\tif o.well || true {", simulation()},
		{"a device that was never begun counts as known", "rollout/simulate/compare.go",
			"o.unknown[t.device] = true\n", "", simulation()},
		// Package managers.
		{"apk holds what was patched for good", "providers/manager/apk/world.go",
			"\t\tlist = slices.DeleteFunc(list, func(wish string) bool { return nameOf(wish) == words[0] })\n", "", []string{"./providers/manager/apk"}},
		{"what Homebrew would do besides is passed over", "providers/manager/brew/brew.go",
			"\t\t\tdefault:\n\t\t\t\treturn nil, fmt.Errorf(\"brew: plan: %.200q is not understood: %w\", line, patch.ErrPermanent)\n", "\t\t\tdefault:\n\t\t\t\tpart = other\n", []string{"./providers/manager/brew"}},
		{"Windows Installer is not waited for", "providers/manager/internal/windows/windows.go",
			"if err == nil && *s.Installing {", "if err == nil && *s.Installing && false {", []string{"./providers/manager/winget", "./providers/manager/chocolatey"}},
	}
}
