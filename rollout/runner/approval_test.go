package runner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
)

// A panel tells one decision more each time it is asked, after it has failed once.
type panel struct {
	mu    sync.Mutex
	asked int
	say   []func(policy.Request) policy.Decision
}

func (p *panel) Decide(context.Context, policy.Request) (policy.Decision, error) {
	return policy.Decision{}, errors.New("a panel is not asked for one decision")
}

func (p *panel) Decisions(_ context.Context, q policy.Request) (ds []policy.Decision, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked++; p.asked == 1 {
		return nil, errors.New("nobody is there")
	}
	for _, say := range p.say[:min(p.asked-1, len(p.say))] {
		ds = append(ds, say(q))
	}
	return ds, nil
}

func TestAPanelBringsOnePersonAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, j := fleet(nil, 2), new(memjournal.Journal)
		cfg := config(f, j)
		urgent := func(q policy.Request) policy.Decision {
			d := yes("inge", q)
			d.Emergency = &policy.Emergency{Reason: "a worm", ReviewDue: q.At.Add(24 * time.Hour), Bypass: policy.Bypass{Windows: true}}
			return d
		}
		cfg.Approver = &panel{say: []func(policy.Request) policy.Decision{
			func(q policy.Request) policy.Decision { return yes("olga", q) },
			func(q policy.Request) policy.Decision { return yes("hans", q) },
			func(q policy.Request) policy.Decision { return policy.Decision{} },
			func(q policy.Request) policy.Decision { return yes("Hans", q) },
			func(q policy.Request) policy.Decision { q.Digest = ""; return yes("inge", q) },
			urgent,
		}}
		r, begun := start(t, cfg), time.Now()
		p := all()
		p.Windows = []policy.Window{{Days: policy.DaysOf(time.Sunday), Start: 0, End: 60, Zone: "UTC"}}
		p.Rings[0].Need = policy.Need{Quorum: 3, Emergency: true, Bypass: policy.Bypass{Windows: true}}
		begin(t, r, key("q1"), p)
		status := ends(t, r, key("q1"))
		require.Equal(t, rollout.StageDone, status.Stage)
		require.Less(t, status.At.Sub(begun), 24*time.Hour, "no window was waited for")
		_, batches := history(t, j, key("q1"))
		decided, _ := events[rollout.RingDecided](batches)
		var said []string
		for _, d := range decided {
			said = append(said, d.Decision.By+": "+d.Refused)
		}
		require.Equal(t, []string{"olga: who asks cannot approve", "hans: ", "inge: it is about something else: the digest differs", "inge: "}, said,
			"what is told again and again is written down once")

		reviews, err := r.Reviews(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Len(t, reviews, 1)
		require.Equal(t, []string{"1 more: 3 people", "windows of ring all"}, reviews[0].Bypassed)
		require.Equal(t, reviews, status.Reviews)
		for tenant, want := range map[inventory.Tenant]int{"": 1, "acme": 1, "acme/paris": 0, "other": 0} {
			due, err := r.ReviewsDue(t.Context(), tenant)
			require.NoError(t, err)
			require.Len(t, due, want, tenant)
			if want > 0 {
				require.Equal(t, reviews, due)
			}
		}
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoReview, Ring: reviews[0].Ring, By: "hans", Reason: "was a worm"}))
		reviews, err = r.Reviews(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, "hans", reviews[0].Reviewer)
		require.False(t, reviews[0].Closed.IsZero())
		due, err := r.ReviewsDue(t.Context(), "acme")
		require.NoError(t, err)
		require.Empty(t, due, "it is closed, and the rollout was over")
	})
}
