package rollout

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// The record of begins against a list of all of them.
func TestStartsRememberWhatARateLooksAt(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := starts{every: 1 + r.Int64N(20)}
		var all []int64
		now := int64(0)
		for range 60 {
			now += r.Int64N(4)
			switch {
			case r.IntN(4) == 0 && len(all) > 0: // it could not be reached
				i := r.IntN(len(all))
				s.drop(all[i])
				if all[i] > now-s.every {
					all = append(all[:i], all[i+1:]...)
				}
			default:
				s.add(now)
				all = append(all, now)
			}
			count := func(at int64) (n int) {
				for _, b := range all {
					if b > at-s.every && b <= at {
						n++
					}
				}
				return n
			}
			require.Equal(t, count(now), s.count(now), "seed %d", seed)
			for limit := 1; limit < 6; limit++ {
				next := now
				for count(next) >= limit {
					next++
				}
				if got := s.after(limit); next > now {
					require.Equal(t, next, got, "seed %d: limit %d at %d of %v", seed, limit, now, all)
				} else {
					require.LessOrEqual(t, got, now, "seed %d: limit %d", seed, limit)
				}
			}
		}
	}
}

// Two devices an hour: the third waits, knows how long, and the machine names that instant.
func TestADeviceThatWaitsForARateKnowsHowLong(t *testing.T) {
	in := input(3, policy.Ring{Name: "all", Rest: true})
	in.Policy.Rate = policy.Rate{Count: 2, Every: policy.Duration(time.Hour)}
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	wanted := m.Wanted(in.At, 0)
	require.Len(t, wanted, 2)
	_, err = m.Step(Granted{in.At, wanted})
	require.NoError(t, err)
	x := m.Explain(p.Devices[2], in.At)
	require.Equal(t, "rate 2 in 1h: next at 2026-03-02 10:00 UTC", x.Reasons[0].String())
	require.Equal(t, in.At.Add(time.Hour), x.Next)
	next, ok := m.Next()
	require.True(t, ok)
	require.Equal(t, in.At.Add(time.Hour), next)
	require.Empty(t, m.Wanted(next.Add(-1), 0))
	require.Equal(t, []int32{2}, m.Wanted(next, 0))
}

// Where the rate of a domain that holds the whole fleet lets nobody begin, no device is looked at.
func TestAFullRateOfTheWholeFleetLooksAtNobody(t *testing.T) {
	in := input(30, policy.Ring{Name: "all", Rest: true})
	in.Policy.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Rate: policy.Rate{Count: 9, Every: policy.Duration(time.Hour)}},
		{Name: "fleet", Rate: policy.Rate{Count: 3, Every: policy.Duration(time.Hour)}}}
	domains := NewDomains(in.Policy.Budgets)
	for i := range in.Targets {
		in.Targets[i].Place = domains.Add(&inventory.Device{Tenant: "acme", ID: in.Targets[i].Device, Labels: map[string]string{"site": []string{"oslo", "rome"}[i%2]}})
	}
	domains.Fill(&in)
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	var a Agenda
	looks := 0
	a.Hold = func(inventory.Tenant, inventory.DeviceID, *Content, time.Time) (policy.Reason, bool) {
		looks++
		return policy.Reason{}, false
	}
	granted := a.Grant(m, in.At)
	require.Len(t, granted, 3)
	require.Equal(t, 3, looks)
	b, err := m.Step(Granted{in.At, granted})
	require.NoError(t, err)
	a.Note(m, b, granted)
	rate := allowance{ledger: &a.ledger, page: a.ledger.page(m.plan), now: nanos(in.At)}
	require.Zero(t, rate.whole())
	require.Empty(t, m.wanted(in.At, 0, rate.whole(), nil, func(int32) bool { looks++; return true }))
	require.Equal(t, 3, looks)
	require.Empty(t, a.Grant(m, in.At))
	next, ok := a.Next(p.Key)
	require.True(t, ok)
	require.Equal(t, in.At.Add(time.Hour), next)
}
