package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
	lib "modernc.org/sqlite/lib"

	"github.com/patchflow/patchflow/rollout"
)

// A group ends with the request that reaches one of these, so that the first of a long queue does not wait for all of it.
const (
	groupRequests = 512
	groupBytes    = 4 << 20
)

// A request is one call that writes. Its caller waits for the result, so it may refer to the caller's slices.
type request struct {
	bytes int
	do    func(context.Context, *writer) error
	done  chan error // has room for the result
}

// submit hands a request to the writing goroutine. A call whose ctx ends while it waits for its turn is withdrawn; once its
// group has begun it waits for the result whatever becomes of ctx, since only the result says what is stored.
func (j *Journal) submit(ctx context.Context, bytes int, do func(context.Context, *writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := j.closed(); err != nil {
		return err
	}
	r := &request{bytes: bytes, do: do, done: make(chan error, 1)}
	select {
	case j.queue <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	case <-j.closing:
		return j.closed()
	}
}

// write is the goroutine that writes: it gathers who is waiting, commits them together, and begins again.
func (j *Journal) write() {
	defer close(j.stopped)
	for {
		select {
		case r := <-j.queue:
			j.commit(j.gather(r))
		case <-j.closing:
			return
		}
	}
}

// gather returns first and all that have come while the last group was written.
func (j *Journal) gather(first *request) []*request {
	group, bytes := []*request{first}, first.bytes
	for len(group) < groupRequests && bytes < groupBytes {
		select {
		case r := <-j.queue:
			group, bytes = append(group, r), bytes+r.bytes
		default:
			return group
		}
	}
	return group
}

// commit writes a group and gives each request its own result.
func (j *Journal) commit(group []*request) {
	ctx, begin := context.Background(), time.Now()
	results := make([]error, len(group))
	err := j.writer.transact(ctx, group, results)
	switch {
	case err == nil:
		j.logger.Debug("group committed", "file", j.path, "requests", len(group), "took", time.Since(begin))
	case len(group) == 1 || code(err) == lib.SQLITE_BUSY:
		j.logger.Warn("write failed", "file", j.path, "requests", len(group), "error", err)
		for i := range results {
			results[i] = err
		}
	default:
		// One of them broke it for all, perhaps by needing more room than the disk has: each for itself.
		j.logger.Warn("group failed, its requests are written one by one", "file", j.path, "requests", len(group), "error", err)
		for i := range group {
			if err := j.writer.transact(ctx, group[i:i+1], results[i:i+1]); err != nil {
				results[i] = err
			}
		}
	}
	for i, r := range group {
		r.done <- results[i]
	}
}

// A writer is the one connection that writes, with its statements. It belongs to the writing goroutine.
type writer struct {
	conn       *sql.Conn
	statements []*sql.Stmt

	begin, commit, rollback      *sql.Stmt
	insertRollout, insertPlan    *sql.Stmt
	updateRollout, insertEntry   *sql.Stmt
	count, trimEntry, trimmedNow *sql.Stmt
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	for _, s := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.insertRollout, `INSERT INTO rollout (tenant, id, entries, stage, final, created, updated, quarantine, reviews, leftover)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number`},
		{&w.insertPlan, "INSERT INTO plan (rollout, data) VALUES (?, ?)"},
		{&w.updateRollout, `UPDATE rollout SET entries = ?, stage = ?, final = ?, created = ?, updated = ?, quarantine = ?, reviews = ?, leftover = ?
			WHERE tenant = ? AND id = ? AND entries = ? RETURNING number`},
		{&w.insertEntry, "INSERT INTO entry (rollout, n, data) VALUES (?, ?, ?)"},
		{&w.count, "SELECT number, entries FROM rollout WHERE tenant = ? AND id = ?"},
		{&w.trimEntry, "DELETE FROM entry WHERE rollout = ? AND n >= ?"},
		{&w.trimmedNow, "UPDATE rollout SET entries = ?, trims = trims + 1 WHERE number = ?"},
	} {
		*s.to, err = conn.PrepareContext(ctx, s.query)
		if err != nil {
			w.close()
			return nil, err
		}
		w.statements = append(w.statements, *s.to)
	}
	return w, nil
}

func (w *writer) close() error {
	var errs *multierror.Error
	for _, s := range w.statements {
		errs = multierror.Append(errs, s.Close())
	}
	errs = multierror.Append(errs, w.conn.Close())
	return errs.ErrorOrNil()
}

// transact writes a group in one transaction. A request that is refused has changed nothing and does not touch the others;
// its refusal goes to results. An error means that nothing of the group is stored.
func (w *writer) transact(ctx context.Context, group []*request, results []error) error {
	if _, err := w.begin.ExecContext(ctx); err != nil {
		return err
	}
	for i, r := range group {
		results[i] = r.do(ctx, w)
		if results[i] != nil && !refused(results[i]) {
			w.undo(ctx)
			return results[i]
		}
	}
	if _, err := w.commit.ExecContext(ctx); err != nil {
		w.undo(ctx)
		return err
	}
	return nil
}

// undo ends a transaction that failed. After some errors SQLite has done so already; then there is nothing to undo.
func (w *writer) undo(ctx context.Context) { _, _ = w.rollback.ExecContext(ctx) }

// refused says whether a request was turned down before it changed anything.
func refused(err error) bool {
	return errors.Is(err, rollout.ErrExists) || errors.Is(err, rollout.ErrConflict) || errors.Is(err, rollout.ErrNotFound)
}

func (w *writer) create(ctx context.Context, h headRow, plan []byte, entries [][]byte) error {
	var number int64
	row := w.insertRollout.QueryRowContext(ctx, h.tenant, h.id, h.entries, h.stage, h.final, h.created, h.updated, h.quarantine, h.reviews, h.leftover)
	err := row.Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return rollout.ErrExists
	}
	if err != nil {
		return err
	}
	if _, err := w.insertPlan.ExecContext(ctx, number, blob(plan)); err != nil {
		return err
	}
	return w.insert(ctx, number, 0, entries)
}

func (w *writer) append(ctx context.Context, h headRow, entries [][]byte) error {
	before := h.entries - int64(len(entries))
	var number int64
	row := w.updateRollout.QueryRowContext(ctx, h.entries, h.stage, h.final, h.created, h.updated, h.quarantine, h.reviews, h.leftover, h.tenant, h.id, before)
	err := row.Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		_, have, err := w.find(ctx, h)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: it holds %d entries", rollout.ErrConflict, have)
	}
	if err != nil {
		return err
	}
	return w.insert(ctx, number, before, entries)
}

func (w *writer) insert(ctx context.Context, number, n int64, entries [][]byte) error {
	for i, e := range entries {
		if _, err := w.insertEntry.ExecContext(ctx, number, n+int64(i), blob(e)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) trim(ctx context.Context, h headRow, keep uint64) error {
	number, have, err := w.find(ctx, h)
	if err != nil {
		return err
	}
	if keep == uint64(have) {
		return nil
	}
	if keep+1 != uint64(have) {
		return fmt.Errorf("%w: it holds %d entries and cannot keep %d", rollout.ErrConflict, have, keep)
	}
	if _, err := w.trimEntry.ExecContext(ctx, number, int64(keep)); err != nil {
		return err
	}
	_, err = w.trimmedNow.ExecContext(ctx, int64(keep), number)
	return err
}

// find returns the number of a rollout in the tables, and how many entries it holds.
func (w *writer) find(ctx context.Context, h headRow) (number, have int64, err error) {
	err = w.count.QueryRowContext(ctx, h.tenant, h.id).Scan(&number, &have)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, rollout.ErrNotFound
	}
	return number, have, err
}

// blob keeps nil from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
