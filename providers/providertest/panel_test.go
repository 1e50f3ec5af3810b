package providertest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A panel keeps what several people say apart.
type panel struct {
	mu      sync.Mutex
	decided map[string][]policy.Decision
	spoil   func(r policy.Request, ds []policy.Decision, err error) ([]policy.Decision, error) // of what Decisions returns
	broken  bool
}

func (p *panel) answers(r policy.Request) (ds []policy.Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.decided[r.ID] {
		if d.Digest == r.Digest {
			ds = append(ds, d)
		}
	}
	return ds
}

func (p *panel) Decide(_ context.Context, r policy.Request) (last policy.Decision, err error) {
	if p.broken {
		return last, errBroken
	}
	return policy.Settling(r, p.answers(r), r.At), nil
}

func (p *panel) Decisions(_ context.Context, r policy.Request) (ds []policy.Decision, err error) {
	if ds = p.answers(r); p.broken {
		ds, err = nil, errBroken
	}
	if p.spoil != nil {
		return p.spoil(r, ds, err)
	}
	return ds, err
}

func panelHarness(spoil func(policy.Request, []policy.Decision, error) ([]policy.Decision, error)) ApproverHarness {
	say := func(ruling policy.Ruling) func(*testing.T, policy.Approver, policy.Request, string) {
		return func(_ *testing.T, a policy.Approver, r policy.Request, by string) {
			p := a.(*panel)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.decided[r.ID] = append(p.decided[r.ID], policy.Decision{Ruling: ruling, By: by, Digest: r.Digest})
		}
	}
	return ApproverHarness{
		New: func(*testing.T) policy.Approver {
			return &panel{decided: make(map[string][]policy.Decision), spoil: spoil}
		},
		Approve: say(policy.Approved), Deny: say(policy.Denied),
		Broken: func(*testing.T) policy.Approver { return &panel{broken: true, spoil: spoil} },
	}
}

func TestKnownPanel(t *testing.T) { Approver(t, panelHarness(nil)) }

func badPanels() []badProvider {
	var all []badProvider
	add := func(name, breaks string, spoil func() func(policy.Request, []policy.Decision, error) ([]policy.Decision, error)) {
		all = append(all, badProvider{"panel " + name, "Approver", "Decisions/" + breaks, func(t *testing.T) {
			Approver(t, panelHarness(spoil()))
		}})
	}
	edit := func(f func(r policy.Request, ds []policy.Decision) []policy.Decision) func() func(policy.Request, []policy.Decision, error) ([]policy.Decision, error) {
		return func() func(policy.Request, []policy.Decision, error) ([]policy.Decision, error) {
			return func(r policy.Request, ds []policy.Decision, err error) ([]policy.Decision, error) {
				if err != nil {
					return ds, err
				}
				return f(r, ds), nil
			}
		}
	}
	add("has a member of its own", "nobody has decided before somebody has answered", edit(func(r policy.Request, ds []policy.Decision) []policy.Decision {
		if len(ds) == 0 {
			return []policy.Decision{{Ruling: policy.Approved, By: "robot", Digest: r.Digest}}
		}
		return ds
	}))
	add("tells the last first", "every answer is told, in the order of the answers", edit(func(_ policy.Request, ds []policy.Decision) []policy.Decision {
		ds = slices.Clone(ds)
		slices.Reverse(ds)
		return ds
	}))
	add("tells once", "the same is told again", func() func(policy.Request, []policy.Decision, error) ([]policy.Decision, error) {
		told := make(map[string]int)
		return func(r policy.Request, ds []policy.Decision, err error) ([]policy.Decision, error) {
			if len(ds) == 2 {
				if told[r.ID]++; told[r.ID] == 2 && len(r.Needs) > 0 && ds[0].By == grace {
					ds = slices.Clone(ds)
					ds[1].By = ds[1].By + "?"
				}
			}
			return ds, err
		}
	})
	add("forgets what was asked", "what is told comes to what Decide tells", edit(func(_ policy.Request, ds []policy.Decision) []policy.Decision {
		ds = slices.Clone(ds)
		for i := range ds {
			ds[i].Digest = patch.Digest("sha256:00")
		}
		return ds
	}))
	add("decides when it fails", "an error is no answer", func() func(policy.Request, []policy.Decision, error) ([]policy.Decision, error) {
		return func(r policy.Request, ds []policy.Decision, err error) ([]policy.Decision, error) {
			if err != nil {
				ds = []policy.Decision{{Ruling: policy.Approved, By: "robot", Digest: r.Digest}}
			}
			return ds, err
		}
	})
	return all
}

func TestAPanelIsAnApproverToo(t *testing.T) {
	require.Implements(t, (*policy.Panel)(nil), panelHarness(nil).New(t))
	require.Implements(t, (*policy.Approver)(nil), panelHarness(nil).New(t))
}
