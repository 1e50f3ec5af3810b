package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/queue"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
)

// Two tenants whose requests have one ID, in one queue: what is answered for the one is nothing to the other.
func TestTenantsAreKeptApart(t *testing.T) {
	each := func(check func(t *testing.T, q *queue.Queue, mine, theirs policy.Request)) func(*testing.T) {
		return func(t *testing.T) {
			for _, p := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}} {
				for i := range p {
					q := newQueue(t, new(memjournal.Journal))
					mine, theirs := request(p[i], "q1/pilot", 1), request(p[1-i], "q1/pilot", 1)
					for _, r := range []policy.Request{mine, theirs} {
						d, err := q.Decide(t.Context(), r)
						require.NoError(t, err)
						require.Zero(t, d)
					}
					check(t, q, mine, theirs)
				}
			}
		}
	}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Queue.Answer": each(func(t *testing.T, q *queue.Queue, mine, theirs policy.Request) {
			_, err := q.Answer(t.Context(), mine.Tenant, mine.ID, says(policy.Approved, "ann", theirs))
			require.ErrorIs(t, err, queue.ErrRefused, "the digest is that of their request")
			_, err = q.Answer(t.Context(), "nobody", mine.ID, says(policy.Approved, "ann", mine))
			require.ErrorIs(t, err, rollout.ErrNotFound)
			it, err := q.Answer(t.Context(), mine.Tenant, mine.ID, says(policy.Denied, "ann", mine))
			require.NoError(t, err)
			require.Equal(t, policy.Denied, it.Settlement.Ruling)
			it, err = q.Get(t.Context(), theirs.Tenant, theirs.ID)
			require.NoError(t, err)
			require.Empty(t, it.Decisions)
		}),
		"Queue.Decide": each(func(t *testing.T, q *queue.Queue, mine, theirs policy.Request) {
			_, err := q.Answer(t.Context(), theirs.Tenant, theirs.ID, says(policy.Approved, "ann", theirs))
			require.NoError(t, err)
			d, err := q.Decide(t.Context(), mine)
			require.NoError(t, err)
			require.Equal(t, policy.Pending, d.Ruling)
		}),
		"Queue.Decisions": each(func(t *testing.T, q *queue.Queue, mine, theirs policy.Request) {
			_, err := q.Answer(t.Context(), theirs.Tenant, theirs.ID, says(policy.Approved, "ann", theirs))
			require.NoError(t, err)
			ds, err := q.Decisions(t.Context(), mine)
			require.NoError(t, err)
			require.Empty(t, ds)
		}),
		"Queue.Get": each(func(t *testing.T, q *queue.Queue, mine, _ policy.Request) {
			it, err := q.Get(t.Context(), mine.Tenant, mine.ID)
			require.NoError(t, err)
			require.Equal(t, mine, it.Request)
			_, err = q.Get(t.Context(), "nobody", mine.ID)
			require.ErrorIs(t, err, rollout.ErrNotFound)
		}),
		"Queue.Open": each(func(t *testing.T, q *queue.Queue, mine, theirs policy.Request) {
			require.Equal(t, []string{string(mine.Tenant) + ":" + mine.ID}, open(t, q, mine.Tenant))
			_, err := q.Answer(t.Context(), mine.Tenant, mine.ID, says(policy.Denied, "ann", mine))
			require.NoError(t, err)
			require.Empty(t, open(t, q, mine.Tenant))
			require.Equal(t, []string{string(theirs.Tenant) + ":" + theirs.ID}, open(t, q, theirs.Tenant))
		}),
	})
}
