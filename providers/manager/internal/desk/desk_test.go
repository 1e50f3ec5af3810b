//go:build unix

package desk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/rollout"
)

func device(t *testing.T) Device {
	return Device{To: local.New(local.Config{}), Root: t.TempDir(), User: true}
}

func opened(t *testing.T, wait time.Duration) *Desk {
	k := New(Config{Name: "test", Wait: wait, Limit: time.Minute, Now: time.Now})
	t.Cleanup(func() { _ = k.Close(context.Background()) })
	return k
}

func task(id rollout.TaskID) rollout.Task { return rollout.Task{ID: id, Device: "ada"} }

var succeeded = rollout.Report{Phase: rollout.PhaseSucceeded, Message: "line\nfeed"}

func work(n *int) Work {
	return func(context.Context, <-chan struct{}) rollout.Report { *n++; return succeeded }
}

func running(context.Context, Begun) (rollout.Report, bool, error) {
	return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
}

func TestATaskBeginsOnceWhoeverAsks(t *testing.T) {
	for name, d := range map[string]Ledger{"device": device(t), "folder": Folder(filepath.Join(t.TempDir(), "patchflow"))} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for range 3 { // each has its own memory
				r, err := opened(t, 0).Begin(t.Context(), d, task("a/1"), Begun{Op: rollout.OpInstall}, work(&n), running)
				require.NoError(t, err)
				require.Equal(t, succeeded, r)
			}
			require.Equal(t, 1, n)
			r, err := opened(t, 0).Status(t.Context(), d, task("a/1"), running)
			require.NoError(t, err)
			require.Equal(t, succeeded, r)
			r, err = opened(t, 0).Status(t.Context(), d, task("a/2"), running)
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseUnknown, r.Phase)
			require.NoError(t, d.End(t.Context(), "a/1", rollout.Report{Phase: rollout.PhaseFailed}))
			e, err := d.Read(t.Context(), "a/1")
			require.NoError(t, err)
			require.Equal(t, Entry{Found: true, Begun: Begun{ID: "a/1", Op: rollout.OpInstall}, Report: &succeeded}, e, "the first word stands")
			require.Error(t, d.End(t.Context(), "a/2", succeeded), "it was never begun")
		})
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	n := 0
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := opened(t, 0).Begin(t.Context(), Folder(file), task("a/1"), Begun{}, work(&n), running)
	require.ErrorContains(t, err, "ledger: claim: ")
	require.Zero(t, n)
	broken := Folder(t.TempDir())
	require.NoError(t, os.MkdirAll(broken.page("a/1"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(broken.page("a/1"), "begun"), []byte("{"), 0o600))
	_, err = opened(t, 0).Status(t.Context(), broken, task("a/1"), running)
	require.Equal(t, patch.Corrupt, patch.FaultOf(err))
}

func TestATaskWhoseEndNobodyHasWrittenDown(t *testing.T) {
	for name, begun := range map[string]string{"claimed": "", "begun": `{"id":"a/1","op":"reboot","bootID":"b"}`} {
		t.Run(name, func(t *testing.T) {
			d := device(t)
			dir := filepath.Join(d.Folder(), "tasks", page("a/1"))
			require.NoError(t, os.MkdirAll(dir, 0o700))
			if begun != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "begun"), []byte(begun), 0o600))
			}
			n := 0
			k := opened(t, 0)
			r, err := k.Begin(t.Context(), d, task("a/1"), Begun{}, work(&n), running)
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseRunning, r.Phase)
			require.Zero(t, n)
			var got Begun
			r, err = k.Status(t.Context(), d, task("a/1"), func(_ context.Context, b Begun) (rollout.Report, bool, error) { got = b; return succeeded, false, nil })
			require.NoError(t, err)
			require.Equal(t, succeeded, r)
			require.Equal(t, begun != "", got.BootID == "b")
			r, err = k.Status(t.Context(), d, task("a/1"), running)
			require.NoError(t, err)
			require.Equal(t, succeeded, r, "the first word stands")
		})
	}
}

// A process may end between a claim and what it was for.
func TestWorkIsBegunAgain(t *testing.T) {
	for name, d := range map[string]Ledger{"device": device(t), "folder": Folder(filepath.Join(t.TempDir(), "patchflow"))} {
		t.Run(name, func(t *testing.T) {
			n := 0
			broken := rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient}
			settle := func(_ context.Context, b Begun) (rollout.Report, bool, error) {
				if b.Asked {
					return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
				}
				return broken, true, nil
			}
			for _, id := range []rollout.TaskID{"a/1", "a/2", "a/3", "a/4"} {
				e, err := d.Claim(t.Context(), Begun{ID: id, Op: rollout.OpReboot})
				require.NoError(t, err)
				require.False(t, e.Found)
			}
			for range 2 {
				r, err := opened(t, 0).Begin(t.Context(), d, task("a/1"), Begun{}, work(&n), settle)
				require.NoError(t, err)
				require.Equal(t, succeeded, r)
				require.Equal(t, 1, n)
			}
			for range 2 { // who only asks begins nothing, and has the first word
				r, err := opened(t, 0).Status(t.Context(), d, task("a/2"), settle)
				require.NoError(t, err)
				require.Equal(t, broken, r)
			}
			r, err := opened(t, 0).Begin(t.Context(), d, task("a/2"), Begun{}, work(&n), settle)
			require.NoError(t, err)
			require.Equal(t, broken, r)

			for _, want := range []bool{true, false, false} {
				first, err := d.Asked(t.Context(), "a/3")
				require.NoError(t, err)
				require.Equal(t, want, first)
			}
			r, err = opened(t, 0).Begin(t.Context(), d, task("a/3"), Begun{}, work(&n), settle)
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseRunning, r.Phase)

			late := task("a/4")
			late.StartBy = time.Now().Add(-time.Second)
			r, err = opened(t, 0).Begin(t.Context(), d, late, Begun{}, work(&n), settle)
			require.NoError(t, err)
			require.Equal(t, patch.Busy, r.Fault, "it is too late to begin it again")
			require.Equal(t, 1, n)
			_, err = d.Asked(t.Context(), "a/5")
			require.Error(t, err, "it was never begun")
		})
	}
}

func TestNothingBeginsThatCannotBeWrittenDown(t *testing.T) {
	n := 0
	for name, row := range map[string]struct {
		to   transport.Func
		want patch.Fault
	}{
		"cut": {func(context.Context, transport.Command) (transport.Result, error) {
			return transport.Result{}, patch.ErrUnreachable
		}, patch.Unreachable},
		"full": {func(context.Context, transport.Command) (transport.Result, error) {
			return transport.Result{Ended: true, Code: 1, Stderr: []byte("cat: write error: No space left on device\n")}, nil
		}, patch.DiskFull},
		"odd": {func(context.Context, transport.Command) (transport.Result, error) {
			return transport.Result{Ended: true, Stdout: []byte("hello\n")}, nil
		}, patch.Corrupt},
	} {
		_, err := opened(t, 0).Begin(t.Context(), Device{To: row.to}, task("a/1"), Begun{}, work(&n), running)
		require.Equal(t, row.want, patch.FaultOf(err), name)
	}
	_, err := opened(t, 0).Begin(t.Context(), device(t), task(""), Begun{}, work(&n), running)
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
	late := task("a/3")
	late.StartBy = time.Now().Add(-time.Hour)
	r, err := opened(t, 0).Begin(t.Context(), device(t), late, Begun{}, work(&n), running)
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault)
	require.Zero(t, n)
}

func TestOneAfterTheOther(t *testing.T) {
	k, d := opened(t, -1), device(t)
	hold := make(chan struct{})
	first := func(context.Context, <-chan struct{}) rollout.Report { <-hold; return succeeded }
	r, err := k.Begin(t.Context(), d, task("a/1"), Begun{}, first, running)
	require.NoError(t, err)
	require.False(t, r.Phase.Last())
	n := 0
	r, err = k.Begin(t.Context(), d, task("a/2"), Begun{}, work(&n), running)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseQueued, r.Phase)
	k.Cancel("a/2")
	k.Cancel("a/2")
	k.Cancel("nobody")
	require.Eventually(t, func() bool {
		r, err = k.Status(t.Context(), d, task("a/2"), running)
		return err == nil && r.Phase == rollout.PhaseStopped
	}, 10*time.Second, time.Millisecond)
	short, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, k.Drain(short), context.Canceled)
	close(hold)
	require.NoError(t, k.Close(t.Context()))
	require.Zero(t, n)
	_, err = k.Begin(t.Context(), d, task("a/4"), Begun{}, work(&n), running)
	require.ErrorContains(t, err, "closed")
}

func TestFailed(t *testing.T) {
	require.NoError(t, Failed(transport.Result{Ended: true}))
	err := Failed(transport.Result{Ended: true, Code: 1, Stderr: []byte("a\nmkdir: Permission denied\n\n")})
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
	require.ErrorContains(t, err, "exit code 1: mkdir: Permission denied")
	require.False(t, errors.Is(err, patch.ErrDiskFull))
}

func TestWhatIsNotedStays(t *testing.T) {
	for name, d := range map[string]Book{"device": device(t), "folder": Folder(filepath.Join(t.TempDir(), "patchflow"))} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			text, err := d.Notes(ctx)
			require.NoError(t, err)
			require.Empty(t, text)
			require.NoError(t, d.Note(ctx, []byte("jq - 1.6 1.7\n")))
			require.NoError(t, d.Note(ctx, []byte("jq - 1.7 1.8\n")))
			text, err = d.Notes(ctx)
			require.NoError(t, err)
			require.Equal(t, "jq - 1.6 1.7\njq - 1.7 1.8\n", string(text))
		})
	}
}

// What is cut short is written down before Close returns: nobody writes into the folder after that.
func TestCloseWaitsForTheLastWords(t *testing.T) {
	d := Folder(filepath.Join(t.TempDir(), "patchflow"))
	k := New(Config{Name: "test", Wait: -1, Limit: time.Hour, Now: time.Now})
	began := make(chan struct{})
	_, err := k.Begin(t.Context(), d, task("a/1"), Begun{}, func(ctx context.Context, _ <-chan struct{}) rollout.Report {
		close(began)
		<-ctx.Done()
		for range 1000 { // whoever does not wait is gone by now
			runtime.Gosched()
		}
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Unreachable}
	}, running)
	require.NoError(t, err)
	<-began
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, k.Close(over), context.Canceled)
	e, err := d.Read(t.Context(), "a/1")
	require.NoError(t, err)
	require.NotNil(t, e.Report)
	require.Equal(t, patch.Unreachable, e.Report.Fault)
}

// A device that takes the connection and says nothing more keeps nobody for ever: it cannot be reached, and the next call asks it anew.
func TestADeviceThatDoesNotAnswer(t *testing.T) {
	mute := true
	d := device(t)
	real := d.To
	d.To = transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if mute {
			<-ctx.Done()
			return transport.Result{}, ctx.Err()
		}
		return real.Run(ctx, c)
	})
	k := New(Config{Name: "test", Limit: time.Minute, Answer: time.Millisecond, Now: time.Now})
	t.Cleanup(func() { _ = k.Close(context.Background()) })
	n := 0
	_, err := k.Begin(t.Context(), d, task("a/1"), Begun{Op: rollout.OpInstall}, work(&n), running)
	require.ErrorIs(t, err, patch.ErrUnreachable)
	require.ErrorContains(t, err, "no answer within 1ms")
	_, err = k.Status(t.Context(), d, task("a/1"), running)
	require.Equal(t, patch.Unreachable, patch.FaultOf(err))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = k.Status(over, d, task("a/1"), running)
	require.NotErrorIs(t, err, patch.ErrUnreachable, "it is the caller who waits no longer")
	require.Zero(t, n)

	mute, k.Answer = false, time.Minute
	slow := func(ctx context.Context, _ Begun) (rollout.Report, bool, error) {
		<-ctx.Done()
		return rollout.Report{}, false, ctx.Err()
	}
	_, err = d.Claim(t.Context(), Begun{ID: "a/2", Op: rollout.OpInstall})
	require.NoError(t, err)
	r, err := k.Begin(t.Context(), d, task("a/1"), Begun{Op: rollout.OpInstall}, work(&n), running)
	require.NoError(t, err)
	require.Equal(t, succeeded, r)
	require.Equal(t, 1, n)
	k.Answer = 100 * time.Millisecond
	_, err = k.Begin(t.Context(), d, task("a/2"), Begun{Op: rollout.OpInstall}, work(&n), slow)
	require.ErrorIs(t, err, patch.ErrUnreachable)
	require.Equal(t, 1, n)
}

// A process that is killed while it sends what is to be written down has sent a part of it, or nothing: it does not stand there, and the next word does.
func TestAWordThatIsCutOffDoesNotStand(t *testing.T) {
	cut := 0
	d := device(t)
	real := d.To
	d.To = transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if len(c.Stdin) > 0 && cut >= 0 {
			c.Stdin = c.Stdin[:min(cut, len(c.Stdin)-1)]
		}
		return real.Run(ctx, c)
	})
	ctx := t.Context()
	for _, cut = range []int{0, 1, 20, 1 << 20} {
		_, err := d.Claim(ctx, Begun{ID: "a/1", Op: rollout.OpInstall})
		require.Error(t, err)
		e, err := d.Read(ctx, "a/1")
		require.NoError(t, err)
		require.False(t, e.Found)
	}
	cut = -1
	_, err := d.Claim(ctx, Begun{ID: "a/1", Op: rollout.OpInstall})
	require.NoError(t, err)
	for _, cut = range []int{0, 1, 1 << 20} {
		require.Error(t, d.End(ctx, "a/1", succeeded))
		require.Error(t, d.Note(ctx, []byte("jq - 1.6 1.7\n")))
	}
	cut = -1
	e, err := d.Read(ctx, "a/1")
	require.NoError(t, err)
	require.Nil(t, e.Report)
	notes, err := d.Notes(ctx)
	require.NoError(t, err)
	require.Empty(t, notes)

	// What stands there from before that was seen to: an empty file is no word.
	require.NoError(t, os.WriteFile(filepath.Join(d.Folder(), "tasks", page("a/1"), "report"), nil, 0o600))
	require.NoError(t, d.End(ctx, "a/1", succeeded))
	e, err = d.Read(ctx, "a/1")
	require.NoError(t, err)
	require.Equal(t, &succeeded, e.Report)
	left, err := filepath.Glob(filepath.Join(d.Folder(), "*.*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
