package providertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// verify looks whether c is there, or with absent whether it is gone, and returns the last report.
func (b *bench) verify(t *testing.T, c rollout.Content, absent bool) rollout.Report {
	t.Helper()
	task := b.task(rollout.OpVerify, c)
	task.Absent = absent
	return b.end(t, task)
}

func verifyPromises() []promise[*bench] {
	const there = "It reports [PhaseSucceeded] if everything in the content is there and works (or is gone, with t.Absent)."
	const missing = "It reports [PhaseFailed] without a fault if something is missing"
	return []promise[*bench]{
		{"Verify", "content that is there is found", there, func(t *testing.T, b *bench) {
			b.install(t, b.Content)
			require.Equal(t, rollout.PhaseSucceeded, b.verify(t, b.Content, false).Phase)
		}},
		{"Verify", "content that is not there is missing, without a fault", missing, func(t *testing.T, b *bench) {
			r := b.verify(t, b.Content, false)
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, patch.NoFault, r.Fault)
		}},
		{"Verify", "content that is gone is found gone", there, func(t *testing.T, b *bench) {
			require.Equal(t, rollout.PhaseSucceeded, b.verify(t, b.Content, true).Phase)
		}},
		{"Verify", "content that is still there is not gone", there, func(t *testing.T, b *bench) {
			b.install(t, b.Content)
			require.Equal(t, rollout.PhaseFailed, b.verify(t, b.Content, true).Phase)
		}},
		{"Verify", "content that does not work is a permanent failure", "with [patch.Permanent] if it is there and does not work", func(t *testing.T, b *bench) {
			need(t, b.Break != nil, "Break")
			b.Break(t, b.d)
			b.install(t, b.Content)
			r := b.verify(t, b.Content, false)
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, patch.Permanent, r.Fault)
		}},
		{"Verify", "every call is a fresh look", "Verify looks at the device afresh, after the task was issued.", func(t *testing.T, b *bench) {
			looks := func() (phases [2]rollout.Phase) {
				return [2]rollout.Phase{b.verify(t, b.Content, false).Phase, b.verify(t, b.Content, true).Phase}
			}
			before := looks()
			b.install(t, b.Content)
			require.NotEqual(t, before, looks(), "the content was installed between two looks")
		}},
		{"Verify", "not to be able to look is neither found nor missing", "and with another fault if it could not look; an error says the same.",
			func(t *testing.T, b *bench) {
				need(t, b.Cut != nil, "Cut")
				b.Cut(t, b.d)
				r, err := b.verifier.Verify(t.Context(), b.task(rollout.OpVerify, b.Content))
				if err != nil {
					r = rollout.Failure(err)
				}
				require.NotEqual(t, rollout.PhaseSucceeded, r.Phase)
				if r.Phase == rollout.PhaseFailed {
					require.NotContains(t, []patch.Fault{patch.NoFault, patch.Permanent}, r.Fault)
				}
			}},
		{"Verify", "it looks before anything is installed too", "With [OpLook] it is asked before anything is installed", func(t *testing.T, b *bench) {
			require.Equal(t, patch.NoFault, b.end(t, b.task(rollout.OpLook, b.Content)).Fault, "that something is missing is an answer")
		}},
		{"Verify", "nothing is changed", "It changes nothing.", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			b.end(t, b.task(rollout.OpVerify, b.Content))
			require.Equal(t, before, b.look(t))
		}},
	}
}

func rollbackPromises() []promise[*bench] {
	const back = "Rollback begins to take the content of t back, last patch first, to what the device had before"
	undo := func(t *testing.T, b *bench, c rollout.Content) rollout.Task {
		t.Helper()
		task := b.task(rollout.OpRollback, c)
		b.begin(t, task)
		b.settle(t, task)
		return task
	}
	undone := func(t *testing.T, b *bench, c rollout.Content) {
		need(t, b.Look != nil, "Look")
		before := b.look(t)
		b.install(t, c)
		require.NotEqual(t, before, b.look(t), "the installation has changed nothing")
		undo(t, b, c)
		after := b.look(t)
		require.Equal(t, before.Software, after.Software)
		require.Equal(t, before.Missing, after.Missing)
	}
	return []promise[*bench]{
		{"Rollback", "the first report says where the task stands", "and returns its first report.", func(t *testing.T, b *bench) {
			b.install(t, b.Content)
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpRollback, b.Content)).Phase)
		}},
		{"Rollback", "the device has again what it had before", back, func(t *testing.T, b *bench) { undone(t, b, b.Content) }},
		{"Rollback", "patches on top of each other are taken back last first", back, func(t *testing.T, b *bench) {
			need(t, len(b.Stack.Patches) > 1, "Stack")
			undone(t, b, b.Stack)
		}},
		{"Rollback", "content that is not there is no failure", "Content that is not there is no failure.", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseFailed, b.end(t, b.task(rollout.OpRollback, b.Content)).Phase)
		}},
		{"Rollback", "the same task begins once", "The same task ID never begins twice.", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			b.install(t, b.Content)
			task := undo(t, b, b.Content)
			b.install(t, b.Content)
			want := b.look(t)
			b.begin(t, task)
			b.settle(t, task)
			require.Equal(t, want, b.look(t), "a task that was over has taken the content back once more")
		}},
		{"Rollback", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			b.install(t, b.Content)
			require.Equal(t, rollout.PhaseSucceeded, b.status(t, undo(t, b, b.Content)).Phase)
		}},
	}
}

func rebootPromises() []promise[*bench] {
	const another = "the last one, [PhaseSucceeded], comes when the device is back with another boot than t.BootID, and names that."
	// reboot is a task that says which boot it is to end.
	reboot := func(t *testing.T, b *bench) rollout.Task {
		need(t, b.Look != nil, "Look")
		task := b.task(rollout.OpReboot, b.Content)
		task.BootID = b.look(t).BootID
		return task
	}
	return []promise[*bench]{
		{"Reboot", "the first report says where the task stands", "Reboot begins to restart the device and returns its first report",
			func(t *testing.T, b *bench) {
				require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpReboot, b.Content)).Phase)
			}},
		{"Reboot", "the device has another boot", another, func(t *testing.T, b *bench) {
			task := reboot(t, b)
			b.begin(t, task)
			b.settle(t, task)
			require.NotEqual(t, task.BootID, b.look(t).BootID)
		}},
		{"Reboot", "the last report names the new boot", another, func(t *testing.T, b *bench) {
			task := reboot(t, b)
			r := b.end(t, task)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase)
			require.Equal(t, b.look(t).BootID, r.BootID)
		}},
		{"Reboot", "a connection that is lost meanwhile is no failure", "A connection that is lost meanwhile is no failure.", func(t *testing.T, b *bench) {
			need(t, b.Cut != nil, "Cut")
			task := b.task(rollout.OpReboot, b.Content)
			b.begin(t, task)
			mend := b.Cut(t, b.d)
			r, err := b.d.Status(t.Context(), task)
			require.True(t, err != nil || r.Phase != rollout.PhaseFailed, "while it is lost: %+v", r)
			mend()
			b.settle(t, task)
			require.NotEqual(t, rollout.PhaseFailed, b.status(t, task).Phase, "once it is back")
		}},
		{"Reboot", "the same task begins once", "The same task ID never begins twice.", func(t *testing.T, b *bench) {
			task := reboot(t, b)
			b.begin(t, task)
			b.settle(t, task)
			boot := b.look(t).BootID
			b.begin(t, task)
			b.settle(t, task)
			require.Equal(t, boot, b.look(t).BootID, "a task that was over has restarted the device once more")
		}},
	}
}

func downloadPromises() []promise[*bench] {
	return []promise[*bench]{
		{"Download", "the first report says where the task stands", "and returns its first report.", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpDownload, b.Content)).Phase)
		}},
		{"Download", "nothing is installed", "It installs nothing and disrupts nobody", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			task := b.task(rollout.OpDownload, b.Content)
			b.begin(t, task)
			b.settle(t, task)
			after := b.look(t)
			require.Equal(t, before.Software, after.Software)
			require.Equal(t, before.BootID, after.BootID)
		}},
		{"Download", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			task := b.task(rollout.OpDownload, b.Content)
			b.begin(t, task)
			b.settle(t, task)
			require.True(t, b.status(t, task).Phase.Last())
		}},
	}
}

func backupPromises() []promise[*bench] {
	const proves = "and proves it by Report.Backup: its ID, and the instant that it holds."
	// clocks is how far the harness's clock and the one that backups go by may differ.
	const clocks = time.Minute
	backup := func(t *testing.T, b *bench, since time.Time) rollout.Backup {
		t.Helper()
		task := b.task(rollout.OpBackup, b.Content)
		task.Since = since
		r := b.end(t, task)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%s", r.Message)
		return r.Backup
	}
	return []promise[*bench]{
		{"Snapshot", "the first report says where the task stands", "and returns its first report;", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpBackup, b.Content)).Phase)
		}},
		{"Snapshot", "a backup is proved", proves, func(t *testing.T, b *bench) {
			before := b.Now()
			made := backup(t, b, before)
			require.NotEmpty(t, made.ID)
			require.False(t, made.At.Before(before.Add(-clocks)) || made.At.After(b.Now().Add(clocks)), "it was made between %s and %s, and is said to be of %s",
				before, b.Now(), made.At)
		}},
		{"Snapshot", "an older backup does not stand for a new one", "If the device has one that was made at t.Since or later,", func(t *testing.T, b *bench) {
			before := backup(t, b, b.Now())
			if before.ID == "" || before.At.IsZero() {
				return // it is no proof, which the promise before this one is about
			}
			since := before.At.Add(time.Second)
			require.NotEqual(t, before.ID, backup(t, b, since).ID, "the backup of %s was named again as one that is no older than %s", before.At, since)
		}},
		{"Snapshot", "nothing is changed", "It changes nothing that the device works with.", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			backup(t, b, b.Now())
			after := b.look(t)
			require.Equal(t, before.Software, after.Software)
			require.Equal(t, before.BootID, after.BootID)
		}},
		{"Snapshot", "the same task begins once", "The same task ID never begins twice.", func(t *testing.T, b *bench) {
			task := b.task(rollout.OpBackup, b.Content)
			first := b.end(t, task)
			b.begin(t, task)
			b.settle(t, task)
			require.Equal(t, first.Backup, b.status(t, task).Backup, "a task that was over has made another backup")
		}},
	}
}

func remedyPromises() []promise[*bench] {
	remedy := func(b *bench, of patch.Fault) rollout.Task {
		task := b.task(rollout.OpRemedy, b.Content)
		task.Remedy = of
		return task
	}
	return []promise[*bench]{
		{"Remedy", "the first report says where the task stands", "and returns its first report: with [patch.Corrupt]", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, remedy(b, patch.Corrupt)).Phase)
		}},
		{"Remedy", "no content is installed or taken away", "It installs no content, and takes none", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			for _, of := range []patch.Fault{patch.Corrupt, patch.DiskFull} {
				b.end(t, remedy(b, of))
			}
			require.Equal(t, before.Software, b.look(t).Software)
		}},
		{"Remedy", "what it has no remedy for is not put right", "a fault that it has no remedy for is", func(t *testing.T, b *bench) {
			for _, of := range []patch.Fault{patch.NoFault, patch.NeedsUser} {
				r := b.end(t, remedy(b, of))
				require.Equal(t, rollout.PhaseFailed, r.Phase, "%s", of)
				require.Equal(t, patch.Permanent, r.Fault, "%s", of)
			}
		}},
		{"Remedy", "what comes too late is not begun", "and a task whose StartBy is past is not begun any more. Progress is told by Status.", func(t *testing.T, b *bench) {
			task := remedy(b, patch.Corrupt)
			task.StartBy = b.Now().Add(-time.Hour)
			r := b.end(t, task)
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, patch.Busy, r.Fault)
		}},
		{"Remedy", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			task := remedy(b, patch.DiskFull)
			b.begin(t, task)
			b.settle(t, task)
			require.True(t, b.status(t, task).Phase.Last())
		}},
	}
}

func probePromises() []promise[*bench] {
	unheard := policy.Probe{Name: "unheard", Check: policy.ProbeCustom, Of: "patchflow-conformance", With: []string{"a=b"}}
	probe := func(t *testing.T, b *bench, op rollout.Op, probes ...policy.Probe) map[string]patch.Tri {
		t.Helper()
		task := b.task(op, b.Content)
		task.Probes = probes
		r := b.end(t, task)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%s", r.Message)
		up := make(map[string]patch.Tri)
		for _, p := range r.Probes {
			require.NotContains(t, up, p.Name, "one result for each probe")
			up[p.Name] = p.Up
		}
		return up
	}
	return []promise[*bench]{
		{"Probe", "what works is up", "with Report.Probes: a result for each, by its name.", func(t *testing.T, b *bench) {
			need(t, len(b.Up) > 0, "Up")
			for _, op := range []rollout.Op{rollout.OpPrecheck, rollout.OpProbe} {
				up := probe(t, b, op, b.Up...)
				for _, p := range b.Up {
					require.Equal(t, patch.Yes, up[p.Name], "%s: %s", op, p)
				}
			}
		}},
		{"Probe", "what is not known is not up", "What it does not know, such as a custom check that it has never heard of, is [patch.Unknown], and never up.", func(t *testing.T, b *bench) {
			for _, op := range []rollout.Op{rollout.OpPrecheck, rollout.OpProbe} {
				require.NotEqual(t, patch.Yes, probe(t, b, op, unheard)[unheard.Name], "%s", op)
			}
		}},
		{"Probe", "nothing is changed", "It changes nothing.", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			probe(t, b, rollout.OpPrecheck, append([]policy.Probe{unheard}, b.Up...)...)
			after := b.look(t)
			require.Equal(t, before.Software, after.Software)
			require.Equal(t, before.BootID, after.BootID)
		}},
		{"Probe", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			task := b.task(rollout.OpProbe, b.Content) // which names no probe: then there is nothing to find
			b.begin(t, task)
			b.settle(t, task)
			require.True(t, b.status(t, task).Phase.Last())
		}},
	}
}

func cancelPromises() []promise[*bench] {
	const wish = "It is a wish: the task's own last report tells what became of it, [PhaseStopped] if it had done nothing."
	const never = "Cancelling a task that is unknown or has ended is no error."
	stopped := func(t *testing.T, b *bench) rollout.Task {
		if b.Hold != nil {
			b.Hold(t, b.d)
		}
		task := b.task(rollout.OpInstall, b.Content)
		b.begin(t, task)
		require.NoError(t, b.canceller.Cancel(t.Context(), task))
		b.settle(t, task)
		return task
	}
	return []promise[*bench]{
		{"Cancel", "a task that is unknown is no error", never, func(t *testing.T, b *bench) {
			require.NoError(t, b.canceller.Cancel(t.Context(), b.task(rollout.OpInstall, b.Content)))
		}},
		{"Cancel", "a task that has ended is no error", never, func(t *testing.T, b *bench) {
			require.NoError(t, b.canceller.Cancel(t.Context(), b.install(t, b.Content)))
		}},
		{"Cancel", "the task still has a last report", wish, func(t *testing.T, b *bench) {
			r := b.status(t, stopped(t, b))
			require.True(t, r.Phase.Last(), "%+v", r)
		}},
		{"Cancel", "a task that is reported stopped has done nothing", wish, func(t *testing.T, b *bench) {
			before := b.before(t)
			if b.status(t, stopped(t, b)).Phase == rollout.PhaseStopped {
				b.unchanged(t, before, "the task is reported as stopped")
			}
		}},
	}
}
