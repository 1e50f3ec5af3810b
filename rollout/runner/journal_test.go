package runner_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// entries returns the head of a rollout and what is written down of it.
func entries(t *testing.T, j rollout.Journal, k rollout.Key) (rollout.Head, [][]byte) {
	t.Helper()
	rec, err := j.Load(t.Context(), k)
	require.NoError(t, err)
	var all [][]byte
	for e, err := range rec.Entries {
		require.NoError(t, err)
		all = append(all, bytes.Clone(e))
	}
	return rec.Head, all
}

// add appends bytes to a rollout, whatever they are.
func add(t *testing.T, j rollout.Journal, k rollout.Key, entry []byte) {
	t.Helper()
	h, _ := entries(t, j, k)
	h.Entries++
	require.NoError(t, j.Append(t.Context(), h, [][]byte{entry}))
}

// A log is what a logger wrote, line by line.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// midway lets a rollout of ten devices run for a quarter of an hour, and kills its runner.
func midway(t *testing.T, j rollout.Journal, k rollout.Key) *memory.Fleet {
	t.Helper()
	f := fleet(nil, 10)
	f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
	r := newRunner(t, config(f, j))
	stop := run(t, r)
	p := all()
	p.MaxActive = 4
	begin(t, r, k, p)
	pass(15 * time.Minute)
	require.ErrorIs(t, stop(), context.Canceled)
	return f
}

func TestATornLastEntryIsDroppedByTheNextOwner(t *testing.T) {
	for name, tear := range map[string]func([]byte) []byte{
		"cut off": func(e []byte) []byte { return e[:len(e)/2] },
		"a byte":  func(e []byte) []byte { return e[:1] },
		"flipped": func(e []byte) []byte { e[len(e)/2] ^= 1; return e },
		"empty":   func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(memjournal.Journal)
				f := midway(t, j, key("q1"))
				_, whole := entries(t, j, key("q1"))
				add(t, j, key("q1"), tear(bytes.Clone(whole[len(whole)-1])))

				var l log
				cfg := config(f, j)
				cfg.Logger = l.logger()
				r := newRunner(t, cfg)
				s, degraded, err := r.Status(t.Context(), key("q1"))
				require.NoError(t, errors.Join(degraded, err))
				require.Equal(t, 4, s.Active)
				_, err = r.Explain(t.Context(), key("q1"), "dev-000")
				require.NoError(t, err)
				h, _ := entries(t, j, key("q1"))
				require.Equal(t, uint64(len(whole)+1), h.Entries, "who looks does not mend")
				require.Empty(t, l.String())

				run(t, r)
				require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 10}, outcomes(ends(t, r, key("q1"))))
				require.Equal(t, 1, strings.Count(l.String(), fmt.Sprintf(`level=WARN msg="torn last entry dropped" rollout=acme:q1 entry=%d`, len(whole)+1)), l.String())
				begun(t, f)
				for i := range 10 {
					require.Equal(t, 1, f.Installs(dev(i)))
				}
				history(t, j, key("q1"))
			})
		})
	}
}

func TestATornLastEntryIsDroppedByACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := midway(t, j, key("q1"))
		_, whole := entries(t, j, key("q1"))
		add(t, j, key("q1"), []byte("torn"))
		r := newRunner(t, config(f, j))
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoPause, By: "olga"}))
		m, batches := history(t, j, key("q1"))
		require.Len(t, batches, len(whole)+1)
		require.Equal(t, rollout.StagePaused, m.Stage())
	})
}

// A journal that cannot drop an entry keeps its rollout from going on, visibly.
func TestATornLastEntryThatCannotBeDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := midway(t, j, key("q1"))
		add(t, j, key("q1"), []byte("torn"))
		r := start(t, config(f, struct{ rollout.Journal }{j}))
		synctest.Wait()
		s, degraded, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, 4, s.Active)
		require.ErrorContains(t, degraded, "the journal cannot drop it")
	})
}

// What one rollout's journal says cannot be believed; the other rollouts of its tenant go on.
func TestEarlierCorruptionIsRefusedAndStopsNobodyElse(t *testing.T) {
	for name, spoil := range map[string]struct {
		entry []byte
		err   error
	}{
		"torn":                      {[]byte("torn"), rollout.ErrTorn},
		"of a newer version":        {newer(), rollout.ErrNewer},
		"does not fit to its plan":  {rollout.EncodeBatch(nil, rollout.Batch{Events: []rollout.Event{rollout.RingOpened{Ring: 7}}}), rollout.ErrReplay},
		"of a rollout that is over": {rollout.EncodeBatch(nil, rollout.Batch{Events: []rollout.Event{rollout.Began{}}}), rollout.ErrReplay},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(memjournal.Journal)
				f := midway(t, j, key("a-bad"))
				_, whole := entries(t, j, key("a-bad"))
				add(t, j, key("a-bad"), spoil.entry)
				add(t, j, key("a-bad"), whole[len(whole)-1])
				f.AddDevice(unpatched("acme", "bob", "curl"))
				begin(t, newRunner(t, config(f, j)), key("b-good"), only("curl", all()))

				var w watcher
				var l log
				cfg := config(f, j)
				cfg.Observe, cfg.Logger = w.observe, l.logger()
				r := start(t, cfg)
				require.Equal(t, rollout.StageDone, ends(t, r, key("b-good")).Stage)
				_, degraded, err := r.Status(t.Context(), key("a-bad"))
				require.ErrorIs(t, err, spoil.err)
				require.ErrorIs(t, degraded, spoil.err)
				tries := len(w.degraded(key("a-bad")))
				pass(10 * time.Minute)
				require.Equal(t, tries+10, len(w.degraded(key("a-bad"))), "it is tried again every minute")
				for _, err := range w.degraded(key("a-bad")) {
					require.ErrorIs(t, err, spoil.err)
					require.ErrorContains(t, err, fmt.Sprintf("entry %d", len(whole)+1))
				}
				require.Empty(t, w.degraded(key("b-good")))
				require.Contains(t, l.String(), `level=ERROR msg="rollout degraded" rollout=acme:a-bad`)
				_, kept := entries(t, j, key("a-bad"))
				require.Len(t, kept, len(whole)+2, "nothing is thrown away")
				_, err = r.Explain(t.Context(), key("a-bad"), "dev-000")
				require.ErrorIs(t, err, spoil.err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err = r.Command(ctx, key("a-bad"), rollout.Command{Do: rollout.DoCancel, By: "olga"})
				require.ErrorIs(t, err, context.DeadlineExceeded, "it waits until it can be written down")
			})
		})
	}
}

// newer is an entry of a format that nobody knows.
func newer() []byte {
	e := rollout.EncodeBatch(nil, rollout.Batch{})
	data := e[:len(e)-4]
	data[0] = 255
	return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

func TestStartWhenTheJournalFails(t *testing.T) {
	t.Run("nothing is begun, and it can be started again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 3)
			j := &creator{Journal: new(memjournal.Journal), instead: func(func() error) error { return errDisk }}
			r := start(t, config(f, j))
			p := planned(t, r, key("q1"), all())
			require.ErrorIs(t, r.Start(t.Context(), p), errDisk)
			pass(time.Hour)
			require.Empty(t, f.Log())
			_, _, err := r.Status(t.Context(), key("q1"))
			require.ErrorIs(t, err, rollout.ErrNotFound)
			j.instead = nil
			require.NoError(t, r.Start(t.Context(), p))
			require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		})
	})
	t.Run("a lost acknowledgement does not leave it lying", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 3)
			j := &creator{Journal: new(memjournal.Journal), instead: func(create func() error) error { return errors.Join(create(), errDisk) }}
			r := start(t, config(f, j))
			begin(t, r, key("q1"), all())
			require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
			begun(t, f)
		})
	})
	t.Run("a rollout that another process has made meanwhile is not taken for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 3)
			memory := new(memjournal.Journal)
			other := newRunner(t, config(f, memory))
			j := &creator{Journal: memory, instead: func(func() error) error {
				p := all()
				p.Name = "another"
				begin(t, other, key("q1"), p)
				return errDisk
			}}
			r := start(t, config(f, j))
			require.ErrorIs(t, r.Start(t.Context(), planned(t, r, key("q1"), all())), errDisk)
		})
	})
}

// A creator does something else than it should when a rollout is created.
type creator struct {
	*memjournal.Journal
	instead func(create func() error) error
}

func (j *creator) Create(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
	create := func() error { return j.Journal.Create(ctx, h, plan, entries) }
	if j.instead != nil {
		return j.instead(create)
	}
	return create()
}

func TestRunEndsAtOnceIfTheJournalCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &heads{Journal: new(memjournal.Journal), err: errDisk}
		f := fleet(nil, 3)
		begin(t, newRunner(t, config(f, j.Journal)), key("q1"), all())
		r := newRunner(t, config(f, j))
		require.ErrorIs(t, r.Run(t.Context()), errDisk)
		require.Empty(t, f.Log())
		j.err = nil
		run(t, r)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
	})
}

// A heads journal cannot list its heads while err is set.
type heads struct {
	*memjournal.Journal
	err error
}

func (j *heads) Heads(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
	if j.err == nil {
		return j.Journal.Heads(ctx, q)
	}
	return func(yield func(rollout.Head, error) bool) { yield(rollout.Head{}, j.err) }
}

// While an append is under way nobody may act upon what it says: it may fail.
func TestATaskIsHandedOutOnlyWhenItIsWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		var commit chan error
		j := &tampered{Journal: new(memjournal.Journal), n: 1}
		j.instead = func(append func() error) error {
			if err := <-commit; err != nil {
				return err
			}
			return append()
		}
		cfg := config(f, j)
		cfg.Deployer = providers.Pulled{}
		r := start(t, cfg)
		commit = make(chan error)
		begin(t, r, key("q1"), all())
		synctest.Wait()
		next := func() []rollout.Task {
			tasks, err := r.NextTasks(t.Context(), "acme", "dev-000", time.Minute)
			require.NoError(t, err)
			return tasks
		}
		require.Empty(t, next(), "it is decided and not written down")
		commit <- errDisk
		synctest.Wait()
		require.Empty(t, next(), "it was not written down")
		pass(2 * time.Second)
		tasks := next()
		require.Len(t, tasks, 1)
		_, batches := history(t, j, key("q1"))
		issued, _ := events[rollout.Issued](batches)
		require.Len(t, issued, 1)
		require.Equal(t, rollout.TaskID("acme:q1/all/dev-000/install/1"), tasks[0].ID)
	})
}
