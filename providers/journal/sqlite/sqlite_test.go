package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	modernc "modernc.org/sqlite"

	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

func TestJournal(t *testing.T) {
	rollouttest.Journal(t, rollouttest.JournalHarness{
		New: func(t *testing.T) rollout.Journal { return openAt(t, filepath.Join(t.TempDir(), "journal.db")) },
		Reopen: func(t *testing.T, j rollout.Journal) rollout.Journal {
			old := j.(*Journal)
			require.NoError(t, old.Close())
			return openAt(t, old.path)
		},
	})
}

func openAt(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := Open(t.Context(), Config{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	j := openAt(t, good)
	h := killHead(0, 200)
	entries := make([][]byte, 200)
	for i := range entries {
		entries[i] = bytes.Repeat([]byte{byte(i)}, 1000)
	}
	require.NoError(t, j.Create(t.Context(), h, bytes.Repeat([]byte("plan"), 5000), entries))
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(good)
	require.NoError(t, err)

	other := func(name string, statements ...string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		if strings.HasPrefix(name, "other") {
			require.NoError(t, os.Remove(path))
		}
		execAt(t, path, statements...)
		return path
	}
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	for _, c := range []struct{ name, path, want string }{
		{"no path", "", "Config.Path has to name a file"},
		{"memory", ":memory:", "memjournal"},
		{"a folder", dir, dir},
		{"a missing folder", filepath.Join(dir, "none", "j.db"), filepath.Join("none", "j.db")},
		{"a text", file("text", []byte("tenant,device\nacme,ada\n")), "no patchflow journal"},
		{"a long text", file("long", bytes.Repeat([]byte("tenant,device\n"), 1000)), "no patchflow journal"},
		{"another program's database", other("other.db", "CREATE TABLE person (name TEXT)"), "another program's database"},
		{"another program's empty database", other("other-empty.db", "PRAGMA application_id = 7"), "application ID 0x7"},
		{"a database without our mark", other("other-version.db", "PRAGMA user_version = 1"), "no patchflow journal"},
		{"a newer schema", other("newer.db", "PRAGMA user_version = 4"), "newer version: its schema is 4, this version knows 3"},
		{"no schema", other("older.db", "PRAGMA user_version = 0"), "schema 0"},
		{"a file that is cut off", file("cut.db", whole[:len(whole)/2]), "damaged or cut off"},
		{"a file that ends in its header", file("head.db", whole[:60]), "head.db"},
		{"a damaged first page", file("damaged.db", append(bytes.Repeat([]byte{0xff}, 4096), whole[4096:]...)), "no patchflow journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, _ := os.ReadFile(c.path)
			j, err := Open(t.Context(), Config{Path: c.path})
			require.ErrorContains(t, err, c.want)
			require.Nil(t, j)
			require.True(t, strings.HasPrefix(err.Error(), "sqlite: "), "%v", err)
			if c.path != "" && c.path != ":memory:" {
				require.ErrorContains(t, err, c.path)
			}
			after, _ := os.ReadFile(c.path)
			require.True(t, bytes.Equal(before, after), "the file was changed")
		})
	}
}

// A file that an earlier version has written is brought up to date when it is opened, with all that it holds.
func TestAnOlderFileIsTakenOver(t *testing.T) {
	second := "DROP INDEX open; ALTER TABLE rollout DROP COLUMN leftover; CREATE INDEX unfinished ON rollout (tenant, id) WHERE final = 0"
	for version, change := range []string{1: second + "; ALTER TABLE rollout DROP COLUMN reviews", 2: second} {
		if version > 0 {
			t.Run(fmt.Sprint("version ", version), func(t *testing.T) { takeOver(t, change, fmt.Sprint("PRAGMA user_version = ", version)) })
		}
	}
}

func takeOver(t *testing.T, changes ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	j := openAt(t, path)
	h := killHead(0, 2)
	h.Quarantine = []rollout.Quarantine{{Patch: "p1", Tenant: "acme", Reason: "bad"}}
	require.NoError(t, j.Create(t.Context(), h, []byte("plan"), [][]byte{[]byte("one"), []byte("two")}))
	require.NoError(t, j.Close())
	execAt(t, path, changes...)

	for range 2 {
		j = openAt(t, path)
		rec, err := j.Load(t.Context(), h.Key)
		require.NoError(t, err)
		require.Equal(t, h.Quarantine, rec.Head.Quarantine)
		h.Entries++
		h.Reviews = append(h.Reviews, rollout.Review{Ring: "broad", Due: h.Updated.UTC()})
		h.Leftover++
		require.NoError(t, j.Append(t.Context(), h, [][]byte{[]byte("next")}))
		rec, err = j.Load(t.Context(), h.Key)
		require.NoError(t, err)
		require.Equal(t, h.Reviews, rec.Head.Reviews)
		require.Equal(t, h.Entries, rec.Head.Entries)
		require.Equal(t, h.Leftover, rec.Head.Leftover)
		require.NoError(t, j.Close())
	}
}

// execAt runs statements on a file without our settings.
func execAt(t *testing.T, path string, statements ...string) {
	t.Helper()
	db := rawDB(t, path)
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
}

func rawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	connector, err := modernc.NewConnector((&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String())
	require.NoError(t, err)
	return sql.OpenDB(connector)
}

func TestDamageInsideTheFileIsAnErrorThatNamesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openAt(t, path)
	h := killHead(0, 500)
	entries := make([][]byte, 500)
	for i := range entries {
		entries[i] = bytes.Repeat([]byte{0xee}, 300)
	}
	require.NoError(t, j.Create(t.Context(), h, nil, entries))
	require.NoError(t, j.Close())

	t.Run("a page of entries is overwritten", func(t *testing.T) {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		at := len(data) / 2 / 4096 * 4096
		copy(data[at:], bytes.Repeat([]byte{0xff}, 4096))
		damaged := filepath.Join(t.TempDir(), "damaged.db")
		require.NoError(t, os.WriteFile(damaged, data, 0o600))
		requireDamaged(t, damaged, h)
	})
	t.Run("an entry is missing", func(t *testing.T) {
		execAt(t, path, "DELETE FROM entry WHERE n = 400")
		requireDamaged(t, path, h)
	})
	t.Run("the plan is missing", func(t *testing.T) {
		execAt(t, path, "DELETE FROM plan")
		_, err := openAt(t, path).Load(t.Context(), h.Key)
		require.ErrorContains(t, err, path+": acme:q0: its plan is missing")
	})
}

// requireDamaged asserts that the entries end with an error that says so, before the last.
func requireDamaged(t *testing.T, path string, h rollout.Head) {
	t.Helper()
	r, err := openAt(t, path).Load(t.Context(), h.Key)
	require.NoError(t, err)
	n := uint64(0)
	for _, e := range r.Entries {
		if err = e; err == nil {
			n++
		}
	}
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "acme:q0")
	require.ErrorContains(t, err, "damaged")
	require.Less(t, n, h.Entries)
}

func TestConnectionsWaitForTheDisk(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "fullfsync": "1", "checkpoint_fullfsync": "1",
		"query_only": "0",
	} {
		var got string
		require.NoError(t, j.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	var only string
	require.NoError(t, j.reads.QueryRowContext(t.Context(), "PRAGMA query_only").Scan(&only))
	require.Equal(t, "1", only)
}

func TestSettingsAreObeyed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	var log bytes.Buffer
	j, err := Open(t.Context(), Config{
		Path: path, BusyTimeout: time.Millisecond, Readers: 7,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	require.Equal(t, 7, j.reads.Stats().MaxOpenConnections)
	require.Equal(t, 4, openAt(t, filepath.Join(t.TempDir(), "other.db")).reads.Stats().MaxOpenConnections)

	other := rawDB(t, path)
	_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	require.ErrorContains(t, j.Create(t.Context(), killHead(0, 0), nil, nil), path+": acme:q0: ")
	require.ErrorContains(t, j.Create(t.Context(), killHead(0, 0), nil, nil), "another process is writing to the file")
	require.NoError(t, other.Close())
	require.Contains(t, log.String(), "write failed")
	require.NotContains(t, log.String(), "group committed")
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such bits")
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openAt(t, path)
	require.NoError(t, j.Create(t.Context(), killHead(0, 0), nil, nil))
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, files, 3, "file, WAL, shared memory")
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), f)
	}
	require.NoError(t, j.Close())
	files, err = filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{path}, files, "Close leaves one file")
}

func TestPathMayHoldAnyCharacter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b#c%41&d=é'")
	if runtime.GOOS != "windows" {
		dir += "?mode=memory"
	}
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "j.db")
	j := openAt(t, path)
	require.NoError(t, j.Create(t.Context(), killHead(0, 0), nil, nil))
	require.NoError(t, j.Close())
	require.FileExists(t, path)
	_, err := openAt(t, path).Load(t.Context(), killHead(0, 0).Key)
	require.NoError(t, err)
}

func TestManyMayOpenANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	journals, errs := make([]*Journal, 8), make([]error, 8)
	var all sync.WaitGroup
	for i := range journals {
		all.Go(func() { journals[i], errs[i] = Open(t.Context(), Config{Path: path}) })
	}
	all.Wait()
	for i, j := range journals {
		require.NoError(t, errs[i])
		require.NoError(t, j.Create(t.Context(), killHead(i, 0), nil, nil))
	}
	for _, j := range journals {
		require.NoError(t, j.Close())
	}
}

func TestSecondJournalOnTheFileLosesTheRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	one, two := openAt(t, path), openAt(t, path)
	require.NoError(t, one.Create(t.Context(), killHead(0, 0), nil, nil))
	require.NoError(t, two.Append(t.Context(), killHead(0, 1), [][]byte{[]byte("two")}))
	require.ErrorIs(t, one.Append(t.Context(), killHead(0, 1), [][]byte{[]byte("one")}), rollout.ErrConflict)

	// Both go on at once: for each count one of them wins.
	var all sync.WaitGroup
	won := make([]int, 2)
	for i, j := range []*Journal{one, two} {
		all.Go(func() {
			for n := uint64(2); n <= 50; n++ {
				err := j.Append(t.Context(), killHead(0, n), [][]byte{fmt.Append(nil, i)})
				if err == nil {
					won[i]++
				} else if !errors.Is(err, rollout.ErrConflict) {
					t.Error(err)
				} else if r, err := j.Load(t.Context(), killHead(0, 0).Key); err != nil {
					t.Error(err)
				} else {
					n = r.Head.Entries
				}
			}
		})
	}
	all.Wait()
	r, err := one.Load(t.Context(), killHead(0, 0).Key)
	require.NoError(t, err)
	require.Equal(t, r.Head.Entries, uint64(1+won[0]+won[1]))
}

func TestCloseEndsEveryCall(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	h := killHead(0, 1)
	require.NoError(t, j.Create(t.Context(), h, nil, [][]byte{[]byte("one")}))
	r, err := j.Load(t.Context(), h.Key)
	require.NoError(t, err)

	// Appends that run while Close is called are either stored or refused.
	var all sync.WaitGroup
	stored := make([]bool, 50)
	for i := range stored {
		all.Go(func() {
			err := j.Create(t.Context(), killHead(i+1, 0), nil, nil)
			stored[i] = err == nil
			if err != nil && !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		})
	}
	require.NoError(t, j.Close())
	require.NoError(t, j.Close(), "a second time")
	all.Wait()

	require.ErrorIs(t, j.Create(t.Context(), killHead(99, 0), nil, nil), os.ErrClosed)
	require.ErrorIs(t, j.Append(t.Context(), killHead(0, 2), [][]byte{nil}), os.ErrClosed)
	require.ErrorIs(t, j.Trim(t.Context(), h.Key, 0), os.ErrClosed)
	_, err = j.Load(t.Context(), h.Key)
	require.ErrorIs(t, err, os.ErrClosed)
	for _, err = range r.Entries {
	}
	require.ErrorIs(t, err, os.ErrClosed)
	for _, err = range j.Heads(t.Context(), rollout.HeadQuery{}) {
	}
	require.ErrorIs(t, err, os.ErrClosed)

	again := openAt(t, j.path)
	for i, was := range stored {
		_, err := again.Load(t.Context(), killHead(i+1, 0).Key)
		require.Equal(t, was, err == nil, "%v", err)
	}
}

func TestCloseWaitsForTheWriter(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	row, err := encodeHead(killHead(0, 0))
	require.NoError(t, err)
	began, result, closed := make(chan struct{}), make(chan error), make(chan error)
	go func() {
		result <- j.submit(context.Background(), 0, func(ctx context.Context, w *writer) error {
			close(began)
			<-j.closing
			for range 100 { // the file stays open meanwhile
				if err := j.reads.PingContext(ctx); err != nil {
					return err
				}
				runtime.Gosched()
			}
			return w.create(ctx, row, nil, nil)
		})
	}()
	<-began
	go func() { closed <- j.Close() }()
	require.NoError(t, <-result)
	require.NoError(t, <-closed)
	_, err = openAt(t, j.path).Load(t.Context(), killHead(0, 0).Key)
	require.NoError(t, err)
}

func TestPagesOfEntriesAreBounded(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	large := make([]byte, pageBytes/2)
	require.NoError(t, j.Create(t.Context(), killHead(0, 5), nil, [][]byte{large, large, large, large, large}))
	require.NoError(t, j.Create(t.Context(), killHead(1, 1000), nil, make([][]byte, 1000)))
	for _, c := range []struct {
		of   entries
		want int
	}{
		{entries{number: 1, count: 5}, 2},
		{entries{number: 2, count: 1000}, pageRows},
	} {
		page, err := c.of.page(t.Context(), j, 0)
		require.NoError(t, err)
		require.Len(t, page, c.want)
	}
}

// held is a journal whose writing goroutine is busy until release is called.
func held(t *testing.T) (j *Journal, release func()) {
	t.Helper()
	j = openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	began, let := make(chan struct{}), make(chan struct{})
	go j.submit(context.Background(), 0, func(context.Context, *writer) error {
		close(began)
		<-let
		return nil
	})
	<-began
	release = sync.OnceFunc(func() { close(let) })
	t.Cleanup(release)
	return j, release
}

// An impatient context ends when somebody begins to wait for its end, which a call does when it has to wait for its turn.
type impatient struct {
	context.Context
	cancel context.CancelFunc
}

func (c impatient) Done() <-chan struct{} {
	c.cancel()
	return c.Context.Done()
}

func TestCallThatWaitsForItsTurnIsWithdrawnWithItsContext(t *testing.T) {
	j, release := held(t)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, j.Create(impatient{ctx, cancel}, killHead(0, 0), nil, nil), context.Canceled)
	release()
	require.NoError(t, j.Create(t.Context(), killHead(1, 0), nil, nil), "the next one has its turn")
	_, err := j.Load(t.Context(), killHead(0, 0).Key)
	require.ErrorIs(t, err, rollout.ErrNotFound)
}

func TestCallWhoseGroupHasBegunWaitsForItsResult(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	ctx, cancel := context.WithCancel(t.Context())
	row, err := encodeHead(killHead(0, 0))
	require.NoError(t, err)
	require.NoError(t, j.submit(ctx, 0, func(ctx context.Context, w *writer) error {
		cancel()
		return w.create(ctx, row, nil, nil)
	}))
	_, err = j.Load(t.Context(), killHead(0, 0).Key)
	require.NoError(t, err)
}

func TestOneBrokenRequestDoesNotBreakItsGroup(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	var log bytes.Buffer
	j.logger = slog.New(slog.NewTextHandler(&log, nil))
	broken := errors.New("disk full, say")
	group, tries := make([]*request, 5), 0
	for i := range group {
		row, err := encodeHead(killHead(i/2, 0)) // 0 and 1 are the same, and 2 and 3
		require.NoError(t, err)
		group[i] = &request{done: make(chan error, 1), do: func(ctx context.Context, w *writer) error {
			err := w.create(ctx, row, nil, nil)
			if i == 4 {
				tries++
				return broken // after it has changed something
			}
			return err
		}}
	}
	j.commit(group)
	for i, want := range []error{nil, rollout.ErrExists, nil, rollout.ErrExists, broken} {
		require.ErrorIs(t, <-group[i].done, want)
	}
	require.Equal(t, 2, tries)
	require.Contains(t, log.String(), "one by one")
	_, err := j.Load(t.Context(), killHead(2, 0).Key)
	require.ErrorIs(t, err, rollout.ErrNotFound, "the broken one was undone")
	_, err = j.Load(t.Context(), killHead(1, 0).Key)
	require.NoError(t, err)
}

func TestGroupsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		bytes, max int
	}{
		{"by requests", 1, groupRequests},
		{"by bytes", groupBytes / 3, 3 + 1}, // a third, rounded down, three times is not quite there
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &Journal{queue: make(chan *request, 2*groupRequests)}
			for range cap(j.queue) {
				j.queue <- &request{bytes: c.bytes}
			}
			require.Len(t, j.gather(<-j.queue), c.max)
		})
	}
}

func TestLargePlan(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	plan := bytes.Repeat([]byte("0123456789abcdef"), 100<<20/16)
	h := killHead(0, 0)
	require.NoError(t, j.Create(t.Context(), h, plan, nil))
	for range 20 { // does not write the plan again: that would be 2 GB
		h.Entries++
		require.NoError(t, j.Append(t.Context(), h, [][]byte{[]byte("small")}))
	}
	r, err := j.Load(t.Context(), h.Key)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plan, r.Plan))
}

func TestQueriesUseTheirIndexes(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "journal.db"))
	after := &rollout.Key{Tenant: "acme", ID: "q1"}
	for _, c := range []struct {
		name  string
		q     rollout.HeadQuery
		after *rollout.Key
		want  string
	}{
		{"all", rollout.HeadQuery{}, nil, "USING INDEX sqlite_autoindex_rollout_1"},
		{"all, next page", rollout.HeadQuery{}, after, "USING INDEX sqlite_autoindex_rollout_1 ((tenant,id)>(?,?))"},
		{"a tenant", rollout.HeadQuery{Tenant: "acme"}, nil, "(tenant>? AND tenant<?)"},
		{"a tenant, next page", rollout.HeadQuery{Tenant: "acme"}, after, "((tenant,id)>(?,?) AND tenant<?)"},
		{"unfinished", rollout.HeadQuery{Unfinished: true}, nil, "USING INDEX open"},
		{"open", rollout.HeadQuery{Unfinished: true, Leftover: true}, nil, "USING INDEX open"},
		{"open of a tenant", rollout.HeadQuery{Tenant: "acme", Unfinished: true, Leftover: true}, after, "USING INDEX open"},
		{"unfinished of a tenant", rollout.HeadQuery{Tenant: "acme", Unfinished: true}, after, "USING INDEX open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			query, args := headsQuery(c.q, c.after)
			require.Contains(t, queryPlan(t, j, query, args...), c.want)
		})
	}
	t.Run("entries", func(t *testing.T) {
		require.Contains(t, queryPlan(t, j, pageQuery, 0, 10, 1, pageRows), "SEARCH e USING INDEX sqlite_autoindex_entry_1 (rollout=? AND n>? AND n<?)")
	})
}

// queryPlan returns how SQLite means to go about a query, which must not be by sorting.
func queryPlan(t *testing.T, j *Journal, query string, args ...any) string {
	t.Helper()
	rows, err := j.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	require.NotContains(t, strings.Join(plan, "\n"), "TEMP B-TREE")
	return strings.Join(plan, "\n")
}
