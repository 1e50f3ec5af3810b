// Package memjournal keeps rollouts in memory: for tests, for programs that do not outlive their rollouts, and to be read
// before writing a journal.
package memjournal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/patchflow/patchflow/rollout"
)

// A Journal is a [rollout.Journal] in memory. It copies what it keeps and what it hands out. What it keeps ends with the
// process. It is safe for concurrent use; new(Journal) is ready for it.
type Journal struct {
	mu       sync.Mutex
	rollouts map[rollout.Key]kept
}

// A kept rollout. Its entries are never changed, only joined by others, so that a copy of the slice header is a snapshot.
type kept struct {
	head    rollout.Head
	plan    []byte
	entries [][]byte
}

var (
	_ rollout.Journal = (*Journal)(nil)
	_ rollout.Trimmer = (*Journal)(nil)
)

// Create implements [rollout.Journal].
func (j *Journal) Create(ctx context.Context, h rollout.Head, plan []byte, entries [][]byte) error {
	if err := ctx.Err(); err != nil {
		return failed(h.Key, err)
	}
	if h.Entries != uint64(len(entries)) {
		return fmt.Errorf("memjournal: %v: the head counts %d entries, there are %d", h.Key, h.Entries, len(entries))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.rollouts[h.Key]; ok {
		return failed(h.Key, rollout.ErrExists)
	}
	if j.rollouts == nil {
		j.rollouts = make(map[rollout.Key]kept)
	}
	j.rollouts[h.Key] = kept{head: copyHead(h), plan: bytes.Clone(plan), entries: copyEntries(entries)}
	return nil
}

// Append implements [rollout.Journal].
func (j *Journal) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	if err := ctx.Err(); err != nil {
		return failed(h.Key, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	k, ok := j.rollouts[h.Key]
	if !ok {
		return failed(h.Key, rollout.ErrNotFound)
	}
	if uint64(len(k.entries)+len(entries)) != h.Entries {
		return fmt.Errorf("memjournal: %v: %w: it holds %d entries", h.Key, rollout.ErrConflict, len(k.entries))
	}
	k.head, k.entries = copyHead(h), append(k.entries, copyEntries(entries)...)
	j.rollouts[h.Key] = k
	return nil
}

// Load implements [rollout.Journal]. The entries are those of the moment of the call; they may be gone through again.
func (j *Journal) Load(ctx context.Context, key rollout.Key) (rollout.Record, error) {
	if err := ctx.Err(); err != nil {
		return rollout.Record{}, failed(key, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	k, ok := j.rollouts[key]
	if !ok {
		return rollout.Record{}, failed(key, rollout.ErrNotFound)
	}
	entries := func(yield func([]byte, error) bool) {
		for _, e := range k.entries {
			if err := ctx.Err(); err != nil {
				yield(nil, failed(key, err))
				return
			}
			if !yield(slices.Clone(e), nil) {
				return
			}
		}
	}
	return rollout.Record{Head: copyHead(k.head), Plan: bytes.Clone(k.plan), Entries: entries}, nil
}

// Heads implements [rollout.Journal]. The heads are those of the moment the listing begins.
func (j *Journal) Heads(ctx context.Context, q rollout.HeadQuery) iter.Seq2[rollout.Head, error] {
	return func(yield func(rollout.Head, error) bool) {
		for _, h := range j.heads() {
			if ctx.Err() != nil {
				break
			}
			if !q.Wants(&h) {
				continue
			}
			if !yield(copyHead(h), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(rollout.Head{}, fmt.Errorf("memjournal: heads: %w", err))
		}
	}
}

// heads returns all heads in the order of tenant and ID.
func (j *Journal) heads() []rollout.Head {
	j.mu.Lock()
	defer j.mu.Unlock()
	var heads []rollout.Head
	for k := range maps.Values(j.rollouts) {
		heads = append(heads, k.head)
	}
	slices.SortFunc(heads, func(a, b rollout.Head) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	return heads
}

// Trim implements [rollout.Trimmer].
func (j *Journal) Trim(ctx context.Context, key rollout.Key, keep uint64) error {
	if err := ctx.Err(); err != nil {
		return failed(key, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	k, ok := j.rollouts[key]
	if !ok {
		return failed(key, rollout.ErrNotFound)
	}
	have := uint64(len(k.entries))
	if keep > have || have-keep > 1 {
		return fmt.Errorf("memjournal: %v: %w: it holds %d entries and cannot keep %d", key, rollout.ErrConflict, have, keep)
	}
	// Whoever is reading holds the same array: the next entry must not take the place of the one that goes.
	k.entries = slices.Clip(k.entries[:keep])
	k.head.Entries = keep
	j.rollouts[key] = k
	return nil
}

func failed(k rollout.Key, err error) error { return fmt.Errorf("memjournal: %v: %w", k, err) }

// copyHead copies h as a durable journal would return it: times in UTC, without a monotonic reading.
func copyHead(h rollout.Head) rollout.Head {
	h.Created, h.Updated = h.Created.Round(0).UTC(), h.Updated.Round(0).UTC()
	h.Quarantine = slices.Clone(h.Quarantine)
	for i := range h.Quarantine {
		q := &h.Quarantine[i]
		q.Since, q.Released = q.Since.Round(0).UTC(), q.Released.Round(0).UTC()
	}
	h.Reviews = slices.Clone(h.Reviews)
	for i := range h.Reviews {
		r := &h.Reviews[i]
		r.Bypassed = slices.Clone(r.Bypassed)
		r.Since, r.Due, r.Closed = r.Since.Round(0).UTC(), r.Due.Round(0).UTC(), r.Closed.Round(0).UTC()
	}
	return h
}

func copyEntries(entries [][]byte) [][]byte {
	c := make([][]byte, len(entries))
	for i, e := range entries {
		c[i] = slices.Clone(e)
	}
	return c
}
