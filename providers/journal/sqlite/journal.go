package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/patchflow/patchflow/rollout"
)

// A page is what is read at once: no more entries than pageRows, and none after those that reach pageBytes.
const (
	pageRows  = 256
	pageBytes = 1 << 20
)

// largest is how large SQLite lets a field be.
const largest = 1_000_000_000

// Create implements [rollout.Journal]. A ctx that ends while the call waits for its turn withdraws it; later the call waits
// for its result all the same. A plan or an entry above 1 GB is an error.
func (j *Journal) Create(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
	if h.Entries != uint64(len(entries)) {
		return j.of(h.Key, fmt.Errorf("the head counts %d entries, there are %d", h.Entries, len(entries)))
	}
	row, size, err := encode(h, entries)
	if err == nil && len(plan) > largest {
		err = fmt.Errorf("the plan has %d bytes, SQLite takes %d", len(plan), largest)
	}
	if err != nil {
		return j.of(h.Key, err)
	}
	return j.of(h.Key, j.submit(ctx, size+len(plan), func(ctx context.Context, w *writer) error {
		return w.create(ctx, row, plan, entries)
	}))
}

// Append implements [rollout.Journal]. ctx and sizes are as with [Journal.Create].
func (j *Journal) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	row, size, err := encode(h, entries)
	if err != nil {
		return j.of(h.Key, err)
	}
	return j.of(h.Key, j.submit(ctx, size, func(ctx context.Context, w *writer) error {
		return w.append(ctx, row, entries)
	}))
}

// Trim implements [rollout.Trimmer].
func (j *Journal) Trim(ctx context.Context, k rollout.Key, keep uint64) error {
	row := headRow{tenant: string(k.Tenant), id: string(k.ID)}
	return j.of(k, j.submit(ctx, 0, func(ctx context.Context, w *writer) error {
		return w.trim(ctx, row, keep)
	}))
}

func encode(h rollout.Head, entries [][]byte) (headRow, int, error) {
	row, err := encodeHead(h)
	size := 0
	for i, e := range entries {
		if len(e) > largest {
			return row, 0, fmt.Errorf("entry %d of %d has %d bytes, SQLite takes %d", i+1, len(entries), len(e), largest)
		}
		size += len(e)
	}
	return row, size, err
}

const headColumns = "tenant, id, entries, stage, created, updated, quarantine, reviews, leftover"

func (r *headRow) fields() []any {
	return []any{&r.tenant, &r.id, &r.entries, &r.stage, &r.created, &r.updated, &r.quarantine, &r.reviews, &r.leftover}
}

// Load implements [rollout.Journal]. The entries are those of the moment of the call, but are read page by page when they
// are asked for, so that a long journal is never whole in memory and no reader is held meanwhile; they may be gone through
// again. If the rollout is trimmed in between they end with [rollout.ErrConflict].
func (j *Journal) Load(ctx context.Context, k rollout.Key) (rollout.Record, error) {
	r, err := j.load(ctx, k)
	return r, j.of(k, err)
}

func (j *Journal) load(ctx context.Context, k rollout.Key) (rollout.Record, error) {
	if err := j.closed(); err != nil {
		return rollout.Record{}, err
	}
	var row headRow
	var e entries
	err := j.reads.QueryRowContext(ctx, "SELECT number, trims, "+headColumns+" FROM rollout WHERE tenant = ? AND id = ?",
		string(k.Tenant), string(k.ID)).Scan(append([]any{&e.number, &e.trims}, row.fields()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return rollout.Record{}, rollout.ErrNotFound
	}
	if err != nil {
		return rollout.Record{}, err
	}
	head, err := row.decode()
	if err != nil {
		return rollout.Record{}, err
	}
	var plan []byte
	err = j.reads.QueryRowContext(ctx, "SELECT data FROM plan WHERE rollout = ?", e.number).Scan(&plan)
	if errors.Is(err, sql.ErrNoRows) {
		err = errors.New("its plan is missing: the file is damaged")
	}
	if err != nil {
		return rollout.Record{}, err
	}
	e.count = row.entries
	return rollout.Record{Head: head, Plan: plan, Entries: func(yield func([]byte, error) bool) {
		for data, err := range e.all(ctx, j) {
			if !yield(data, j.of(k, err)) {
				return
			}
		}
	}}, nil
}

// entries are the first count entries of the rollout with that number, as long as it is not trimmed again.
type entries struct{ number, trims, count int64 }

func (e entries) all(ctx context.Context, j *Journal) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for n := int64(0); n < e.count; {
			page, err := e.page(ctx, j, n)
			for i := 0; err == nil && i < len(page); i++ {
				if err = ctx.Err(); err == nil && !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n += int64(len(page))
		}
	}
}

// pageQuery has a row even where there is no entry, so that a trim is told from damage.
const pageQuery = `SELECT r.trims, e.n, e.data
	FROM rollout r LEFT JOIN entry e ON e.rollout = r.number AND e.n >= ? AND e.n < ?
	WHERE r.number = ? ORDER BY e.n LIMIT ?`

// page reads entries from number n on: at least one.
func (e entries) page(ctx context.Context, j *Journal, n int64) ([][]byte, error) {
	if err := j.closed(); err != nil {
		return nil, err
	}
	rows, err := j.reads.QueryContext(ctx, pageQuery, n, e.count, e.number, pageRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page [][]byte
	for bytes := 0; bytes < pageBytes && rows.Next(); {
		var trims int64
		var at sql.NullInt64
		var data []byte
		if err := rows.Scan(&trims, &at, &data); err != nil {
			return nil, err
		}
		if trims != e.trims {
			return nil, fmt.Errorf("%w: it was trimmed while it was read", rollout.ErrConflict)
		}
		if want := n + int64(len(page)); !at.Valid || at.Int64 != want {
			return nil, fmt.Errorf("entry %d of %d is missing: the file is damaged", want, e.count)
		}
		page, bytes = append(page, data), bytes+len(data)
	}
	return page, rows.Err()
}

// Heads implements [rollout.Journal]. The heads are read page by page: one that is created or changed meanwhile may be seen
// as it was before or after, but each is yielded once, and no reader is held while the caller looks at it.
func (j *Journal) Heads(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
	return func(yield func(rollout.Head, error) bool) {
		var after *rollout.Key
		for {
			page, err := j.heads(ctx, q, after)
			for i := 0; err == nil && i < len(page); i++ {
				if err = ctx.Err(); err == nil && !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(rollout.Head{}, j.failed(err))
				return
			}
			if len(page) < pageRows {
				return
			}
			after = &page[len(page)-1].Key
		}
	}
}

// heads reads one page of heads: the first, or the one after a key.
func (j *Journal) heads(ctx context.Context, q rollout.HeadQuery, after *rollout.Key) ([]rollout.Head, error) {
	if err := j.closed(); err != nil {
		return nil, err
	}
	query, args := headsQuery(q, after)
	rows, err := j.reads.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []rollout.Head
	for rows.Next() {
		var row headRow
		if err := rows.Scan(row.fields()...); err != nil {
			return nil, err
		}
		h, err := row.decode()
		if err != nil {
			return nil, err
		}
		page = append(page, h)
	}
	return page, rows.Err()
}

func headsQuery(q rollout.HeadQuery, after *rollout.Key) (query string, args []any) {
	var where []string
	and := func(term string, values ...any) { where, args = append(where, term), append(args, values...) }
	if after != nil {
		and("(tenant, id) > (?, ?)", string(after.Tenant), string(after.ID))
	}
	if t := string(q.Tenant); t != "" {
		// What lies between the tenant and those below it, "acme-x" between "acme" and "acme/berlin", is left out; "0" is the
		// byte after "/".
		and("tenant >= ? AND tenant < ?", t, t+"0")
		and("(tenant = ? OR tenant >= ?)", t, t+"/")
	}
	switch {
	case q.Unfinished && q.Leftover:
		and("(final = 0 OR leftover > 0)")
	case q.Unfinished:
		and("final = 0")
	case q.Leftover:
		and("final = 1 AND leftover > 0")
	}
	query = "SELECT " + headColumns + " FROM rollout"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY tenant, id LIMIT ?", append(args, pageRows)
}
