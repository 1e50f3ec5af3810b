package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A tale steps a machine of one ring and reads along.
type tale struct {
	*testing.T
	m     *Machine
	lines *Timeline
	now   time.Time
	begun time.Time
}

func newTale(t *testing.T, in PlanInput) *tale {
	t.Helper()
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	lines, err := NewTimeline(p)
	require.NoError(t, err)
	x := &tale{T: t, m: m, lines: lines, now: in.At, begun: in.At}
	x.step(Begin{x.now})
	return x
}

// step steps the machine, and hands its batch on the way a journal does.
func (x *tale) step(s Signal) {
	x.Helper()
	b, err := x.m.Step(s)
	require.NoError(x, err)
	b, err = DecodeBatch(EncodeBatch(nil, b))
	require.NoError(x, err)
	require.NoError(x, x.lines.Add(b))
}

func (x *tale) after(minutes int) time.Time { return x.begun.Add(time.Duration(minutes) * time.Minute) }

// at lets it be so many minutes after the beginning, and grants what is wanted.
func (x *tale) at(minutes int) {
	x.Helper()
	x.now = x.after(minutes)
	x.step(Tick{x.now})
	if wanted := x.m.Wanted(x.now, 0); len(wanted) > 0 {
		x.step(Granted{x.now, wanted})
	}
}

func (x *tale) report(seq uint32, r Report) {
	x.Helper()
	x.step(Reported{At: x.now, Reports: []TaskReport{{Handle{0, seq}, r}}})
}

func one(on policy.OnFail) PlanInput {
	in := input(1, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 10000, MinSuccess: 1}})
	in.Policy.Rollback = policy.Rollback{On: on}
	in.Contents[0].Patches[0].Released = in.At.AddDate(0, 0, -3)
	in.Contents[0].Patches[0].Seen = in.At.AddDate(0, 0, -2)
	return in
}

func TestTimelineOfRetriesRestartsAndLateReports(t *testing.T) {
	in := one(policy.FailHolds)
	in.Policy.Reboot.Mode = policy.RebootIfRequired
	x := newTale(t, in)
	x.at(1)
	x.report(1, Report{Phase: PhaseFailed, Fault: patch.Busy, Message: "dpkg is locked"})
	x.at(10)
	x.report(2, Report{Phase: PhaseRunning})
	x.at(300) // the answer is lost: what is true is asked
	x.report(2, Report{Phase: PhaseSucceeded})
	x.report(3, Report{Phase: PhaseFailed})
	x.at(400)
	x.report(4, Report{Phase: PhaseSucceeded, Reboot: patch.Yes})
	x.at(402)
	x.report(5, Report{Phase: PhaseSucceeded})
	x.at(403)
	x.report(6, Report{Phase: PhaseSucceeded})

	want := Milestones{
		Device: x.m.plan.Devices[0], Ring: "all", Patch: "x:p1",
		Released: x.begun.AddDate(0, 0, -3), Seen: x.begun.AddDate(0, 0, -2), Approved: x.begun, Offered: x.begun, Started: x.after(1),
		Installed: x.after(400), Rebooted: x.after(402), Verified: x.after(403), Settled: x.after(403),
		Outcome: Succeeded, Attempts: 2, Tasks: 6, Late: 1,
	}
	require.Empty(t, cmp.Diff([]Milestones{want}, x.lines.Device(0)))
	again := x.lines.Tries(0)[2].Again // its pause has some chance in it
	require.True(t, again.After(x.after(300)) && again.Before(x.after(400)), again)
	require.Empty(t, cmp.Diff([]Try{
		{Seq: 1, Op: OpInstall, Issued: x.after(1), Ended: x.after(1), Phase: PhaseFailed, Fault: patch.Busy, Message: "dpkg is locked", Again: x.after(6)},
		{Seq: 2, Op: OpInstall, Issued: x.after(10), Began: x.after(10), Ended: x.after(300), Phase: PhaseRunning, TimedOut: true,
			Late: PhaseSucceeded, LateAt: x.after(300)},
		{Seq: 3, Op: OpVerify, Issued: x.after(300), Ended: x.after(300), Phase: PhaseFailed, Again: again},
		{Seq: 4, Op: OpInstall, Issued: x.after(400), Ended: x.after(400), Phase: PhaseSucceeded, Reboot: patch.Yes},
		{Seq: 5, Op: OpReboot, Issued: x.after(400), Ended: x.after(402), Phase: PhaseSucceeded},
		{Seq: 6, Op: OpVerify, Issued: x.after(402), Ended: x.after(403), Phase: PhaseSucceeded},
	}, x.lines.Tries(0)))
}

func TestTimelineOfARollback(t *testing.T) {
	x := newTale(t, one(policy.FailRollsBackAll))
	x.at(1)
	x.report(1, Report{Phase: PhaseSucceeded})
	x.at(2)
	x.report(2, Report{Phase: PhaseSucceeded})
	require.Equal(t, StageDone, x.m.Stage())

	in := one(policy.FailRollsBackAll)
	in.Policy.Rings[0].Gate.Soak = policy.Duration(time.Hour)
	x = newTale(t, in)
	x.at(1)
	x.report(1, Report{Phase: PhaseSucceeded})
	x.at(2)
	x.report(2, Report{Phase: PhaseSucceeded})
	settled := x.lines.Device(0)[0]
	require.Equal(t, x.after(2), settled.Settled)

	x.now = x.after(3)
	x.step(Commanded{x.now, Command{Do: DoUndo, By: "olga", Reason: "crashes"}})
	open := x.lines.Device(0)[0]
	require.Equal(t, x.after(3), open.Undone)
	require.True(t, open.Settled.IsZero(), "its outcome is open again")
	require.Equal(t, Succeeded, open.Former)
	require.Equal(t, Unsettled, open.Outcome)

	x.at(4)
	x.report(3, Report{Phase: PhaseSucceeded})
	x.at(5)
	x.report(4, Report{Phase: PhaseSucceeded})
	back := x.lines.Device(0)[0]
	require.Equal(t, RolledBack, back.Outcome)
	require.Equal(t, Succeeded, back.Former)
	require.Equal(t, x.after(5), back.Settled)
	require.Equal(t, x.after(2), back.Verified, "what was seen before stays, and seeing it gone is something else")
	require.Equal(t, x.after(1), back.Installed)
	require.True(t, x.lines.Tries(0)[3].Absent)
}

func TestTimelineOfLeave(t *testing.T) {
	in := one(policy.FailHolds)
	in.Policy.Rings[0].Need = policy.Need{Quorum: 2}
	x := newTale(t, in)
	require.True(t, x.lines.Device(0)[0].Approved.IsZero(), "asked, and not answered")
	decide := func(minutes int, by string) {
		t.Helper()
		for q := range x.m.Requests() {
			x.now = x.after(minutes)
			x.step(Decided{x.now, q.ID, policy.Decision{Ruling: policy.Approved, By: by, Digest: q.Digest, At: x.now}})
			return
		}
		t.Fatal("nothing is asked")
	}
	decide(1, "ann")
	decide(2, "ann")
	require.True(t, x.lines.Device(0)[0].Approved.IsZero(), "one of two")
	decide(3, "ben")
	got := x.lines.Device(0)[0]
	require.Equal(t, x.after(3), got.Approved)
	require.Equal(t, x.after(3), got.Offered)
	require.Equal(t, []RingTimes{{Name: "all", Asked: x.begun, Approved: x.after(3), Opened: x.after(3)}}, x.lines.Rings())
	x.at(4)
	x.report(1, Report{Phase: PhaseSucceeded})
	x.report(2, Report{Phase: PhaseSucceeded})
	require.Equal(t, x.after(4), x.lines.Rings()[0].Passed)
}

func TestTimelineSaysNothingOfWhatIsStillToCome(t *testing.T) {
	p, err := NewPlan(one(policy.FailHolds))
	require.NoError(t, err)
	lines, err := NewTimeline(p)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]Milestones{{Device: p.Devices[0], Ring: "all", Patch: "x:p1",
		Released: p.At.AddDate(0, 0, -3), Seen: p.At.AddDate(0, 0, -2)}}, lines.Device(0)))
	require.Empty(t, lines.Tries(0))
	require.Empty(t, lines.Lines())
}

func TestTimelineRefusesAnotherPlansJournal(t *testing.T) {
	x := newTale(t, one(policy.FailHolds))
	b, err := x.m.Step(Tick{x.after(1)})
	require.NoError(t, err)
	b.Events = []Event{Issued{Op: OpInstall, Devices: []int32{7}}}
	require.ErrorIs(t, x.lines.Add(b), ErrReplay)
	b.Events = []Event{UndoBegan{Devices: []int32{-1}}}
	require.ErrorIs(t, x.lines.Add(b), ErrReplay)
}

func TestLinesDoNotChangeWhenReadInBetween(t *testing.T) {
	x := newTale(t, one(policy.FailHolds))
	x.at(1)
	first := x.lines.Lines()
	require.Empty(t, cmp.Diff(first, x.lines.Lines()))
	x.report(1, Report{Phase: PhaseSucceeded})
	x.at(2)
	x.report(2, Report{Phase: PhaseSucceeded})
	var texts []string
	for _, l := range x.lines.Lines() {
		texts = append(texts, l.From.Format("15:04")+" "+l.String())
	}
	require.Equal(t, []string{
		"09:00 rollout begins, plan " + string(x.m.digest)[:19], "09:00 rollout is active, by olga", "09:00 ring all opens",
		"09:01 1 installation begun, 1 succeeded",
		"09:02 gate of ring all: pass, 1 of 1 succeeded, 0 failed", "09:02 rollout is done",
	}, texts)
}

// A device that cannot be reached answers at the instant at which the rollout begins; that is not told before it.
func TestLinesBeginWithTheBeginning(t *testing.T) {
	x := newTale(t, one(policy.FailHolds))
	x.at(0)
	x.report(1, Report{Phase: PhaseFailed, Fault: patch.Unreachable})
	all := x.lines.Lines()
	require.Equal(t, "rollout begins, plan "+string(x.m.digest)[:19], all[0].String())
	require.Equal(t, "1 installation begun, 1 offline and later again", all[len(all)-1].String())
}
