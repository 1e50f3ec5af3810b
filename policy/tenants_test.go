package policy

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A side is a tenant with a fleet, and a policy that is about that tenant alone. The two sides of a pair have devices of the
// same IDs that miss patches of the same IDs, are asked in requests of the same ID, and have layers of the same name.
type side struct {
	tenant  inventory.Tenant
	cases   []Case
	policy  Policy
	layer   Layer
	request Request
}

func newSide(r *rand.Rand, tenant inventory.Tenant) side {
	own := inventory.MustSelector(fmt.Sprintf("device.tenant=%q", tenant))
	lasts := Duration(1+r.IntN(30)) * day
	s := side{tenant: tenant, cases: office(tenant, 4),
		policy: Policy{Name: "p", Rules: []Rule{{Name: "own", Match: Match{Devices: own}, Verdict: []Verdict{Reject, Hold, RequireApproval, Approve}[r.IntN(4)]}},
			Deadlines:  []Deadline{{Name: "own", Match: Match{Devices: own}, Within: lasts}},
			Exceptions: []Exception{{ID: "own", Patches: []patch.ID{"x:2"}, Devices: own, Granted: released(), Expires: released().Add(lasts.Std())}},
			Holds:      []KnownIssue{{ID: "own", Match: Match{Devices: own, IDs: []patch.ID{"x:1"}, Exploited: true}, FailClosed: true}},
			Freezes:    []Freeze{{Name: "own", Except: []Match{{Devices: own}}}}},
		request: Request{ID: "q1/pilot", Tenant: tenant, Ring: "pilot", By: "olga", Digest: patch.Digest("sha256:of " + tenant)}}
	s.layer = Layer{Name: "own", Tenant: tenant, Policy: Policy{MaxActive: 1 + r.IntN(1000),
		Rules: []Rule{{Name: "own", Match: Match{All: true, Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: Approve}},
		Rings: []Ring{{Name: "all", Rest: true}}}}
	return s
}

// pairs yields two sides often, both ways round: strangers, sisters, and a name that only begins like the other.
func pairs() iter.Seq2[side, side] {
	return func(yield func(side, side) bool) {
		r := rand.New(rand.NewPCG(5, 9))
		for range 5 {
			for _, p := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}, {"acme/b", "acme2/b"}} {
				a, b := newSide(r, p[0]), newSide(r, p[1])
				if !yield(a, b) || !yield(b, a) {
					return
				}
			}
		}
	}
}

// moved returns the case with its device under another tenant.
func moved(c Case, to inventory.Tenant) Case {
	d := *c.Device
	d.Tenant = to
	c.Device = &d
	return c
}

// Every exported call that takes something of a tenant, for two that use the same IDs: what it says of one does not depend on
// the other, and follows the tenant if the IDs are swapped.
func TestTenantsAreKeptApart(t *testing.T) {
	// judged checks a call that is asked about one case, by a policy that is about one of the tenants.
	judged := func(ask func(p *Policy, c Case) any) func(*testing.T) {
		return func(t *testing.T) {
			for a, b := range pairs() {
				for i, c := range a.cases {
					mine := ask(&a.policy, c)
					require.NotEmpty(t, cmp.Diff(ask(&Policy{}, c), mine), "the policy is about %s", a.tenant)
					require.Empty(t, cmp.Diff(ask(&Policy{}, b.cases[i]), ask(&a.policy, b.cases[i])), "and not about %s", b.tenant)
					require.Empty(t, cmp.Diff(ask(&Policy{}, b.cases[i]), ask(&a.policy, moved(c, b.tenant))), "nor about what has gone there")
					require.Empty(t, cmp.Diff(mine, ask(&a.policy, moved(b.cases[i], a.tenant))), "but about what has come here")
				}
			}
		}
	}
	// counted checks a call that goes over a fleet.
	counted := func(ask func(p *Policy, cases []Case) any) func(*testing.T) {
		return func(t *testing.T) {
			for a, b := range pairs() {
				alone, nobody := ask(&a.policy, a.cases), ask(&a.policy, b.cases)
				require.NotEmpty(t, cmp.Diff(alone, nobody))
				require.Empty(t, cmp.Diff(ask(&Policy{}, b.cases), nobody))
				both := append(slices.Clone(a.cases), b.cases...)
				slices.SortStableFunc(both, func(x, y Case) int {
					return inventory.Ref{Tenant: x.Device.Tenant, Device: x.Device.ID}.Compare(inventory.Ref{Tenant: y.Device.Tenant, Device: y.Device.ID})
				})
				require.Empty(t, cmp.Diff(alone, ask(&a.policy, both)), "%s says nothing about %s", b.tenant, a.tenant)
			}
		}
	}
	now := released()
	settled := func(ask func(r Request, d Decision) Ruling) func(*testing.T) {
		return func(t *testing.T) {
			for a, b := range pairs() {
				approval := Decision{Ruling: Approved, By: "ann", Digest: a.request.Digest, At: now}
				require.Equal(t, Approved, ask(a.request, approval))
				require.Equal(t, Pending, ask(b.request, approval), "%s approves nothing of %s", a.tenant, b.tenant)
				approval.Ruling = Denied
				require.Equal(t, Denied, ask(a.request, approval))
				require.Equal(t, Pending, ask(b.request, approval), "%s denies nothing of %s", a.tenant, b.tenant)
			}
		}
	}
	resolved := func(ask func(layers []Layer, d *inventory.Device) (*Effective, error)) func(*testing.T) {
		return func(t *testing.T) {
			for a, b := range pairs() {
				group := Layer{Name: "group", Tenant: b.tenant, Level: LevelGroup, Devices: inventory.MustSelector("*"), Policy: Policy{MaxActive: 5000}}
				one := Layer{Name: "one", Tenant: b.tenant, Level: LevelDevice, Devices: inventory.MustSelector("device.id=d000"), Policy: Policy{MaxActive: 6000}}
				broken := Layer{Name: "broken", Tenant: b.tenant, Policy: Policy{MaxActive: -1}}
				locks := Layer{Name: "locks", Tenant: b.tenant, Locks: []Lock{{Field: "rules"}, {Field: "maxActive"}}}
				for _, c := range a.cases[:4] { // two devices
					alone, err := ask([]Layer{a.layer}, c.Device)
					require.NoError(t, err)
					require.Equal(t, a.layer.Policy.MaxActive, alone.Policy.MaxActive)
					for _, theirs := range [][]Layer{{b.layer}, {b.layer, group, one}, {broken}, {locks}} {
						both, err := ask(append(slices.Clone(theirs), a.layer), c.Device)
						require.NoError(t, err, "what is wrong with a layer of %s is nothing to %s", b.tenant, a.tenant)
						require.Equal(t, alone, both)
					}
					theirs, err := ask([]Layer{a.layer}, moved(c, b.tenant).Device)
					require.NoError(t, err)
					require.Empty(t, theirs.Policy.Rules)
					require.Empty(t, theirs.Layers)
				}
			}
		}
	}

	tenancy.Cases(t, map[string]func(*testing.T){
		"Policy.Host": func(t *testing.T) {
			p := Policy{HostLabel: "device.tenant"}
			d := inventory.Device{Tenant: "acme", ID: "ada", Labels: map[string]string{"host": "kvm"}}
			require.Equal(t, inventory.DeviceID("acme"), p.Host(&d))
			d.Tenant = "globex"
			require.Equal(t, inventory.DeviceID("globex"), p.Host(&d), "it is what the device itself says; only devices of the same rollout can be meant")
		},
		"Policy.Stratum": func(t *testing.T) {
			p := Policy{Strata: []string{"site", "device.tenant"}}
			d := inventory.Device{Tenant: "acme", ID: "ada", Labels: map[string]string{"site": "oslo"}}
			require.Equal(t, []string{"oslo", "acme"}, p.Stratum(&d))
			d.Tenant = "globex"
			require.Equal(t, []string{"oslo", "globex"}, p.Stratum(&d), "kept apart where the policy says so; which tenants a rollout has is not decided here")
		},
		"Policy.Decide": judged(func(p *Policy, c Case) any { return p.Decide(c.Patch, c.Device, now) }),
		"Policy.Judge":  judged(func(p *Policy, c Case) any { return p.Judge(c, now) }),
		"Policy.Due":    judged(func(p *Policy, c Case) any { return p.Due(c, now) }),
		"Policy.Verdict": judged(func(p *Policy, c Case) any {
			if len(p.Rules) > 0 { // the driver, which no rule names, is rejected too
				p = &Policy{Rules: []Rule{{Name: "own", Match: p.Rules[0].Match, Verdict: Reject}}}
			}
			return p.Verdict(c, now)
		}),
		"Policy.Explain": func(t *testing.T) {
			judged(func(p *Policy, c Case) any {
				e := p.Explain(c, now)
				require.Equal(t, c.Device.Tenant, e.Tenant)
				e.Tenant, e.Policy = "", ""
				return e
			})(t)
		},
		"Budget.Domain": func(t *testing.T) {
			for a, b := range pairs() {
				budget := Budget{Name: "own", Devices: a.policy.Rules[0].Match.Devices, Count: 1}
				for i, c := range a.cases {
					for d, want := range map[*inventory.Device]bool{c.Device: true, b.cases[i].Device: false, moved(c, b.tenant).Device: false, moved(b.cases[i], a.tenant).Device: true} {
						_, in := budget.Domain(d)
						require.Equal(t, want, in, "a budget of %s, a device of %s", a.tenant, d.Tenant)
					}
				}
			}
		},
		"Budget.Misplaces": func(t *testing.T) {
			for a, b := range pairs() {
				budget := Budget{Name: "own", Devices: a.policy.Rules[0].Match.Devices, Per: []string{"a label that nobody has"}, Drain: true}
				for i, c := range a.cases {
					require.True(t, budget.Misplaces(c.Device))
					require.False(t, budget.Misplaces(b.cases[i].Device), "a budget of %s, a device of %s", a.tenant, b.tenant)
				}
			}
		},
		"HeldBack": func(t *testing.T) {
			for a, b := range pairs() {
				_, held := HeldBack(a.policy.Holds, a.cases[0].Patch, a.cases[0].Device, now)
				require.True(t, held)
				_, held = HeldBack(a.policy.Holds, b.cases[0].Patch, b.cases[0].Device, now)
				require.False(t, held)
			}
		},
		"Freeze.Excepts": func(t *testing.T) {
			for a, b := range pairs() {
				f := &a.policy.Freezes[0]
				require.True(t, f.Excepts(a.cases[0].Patch, a.cases[0].Device, now))
				require.False(t, f.Excepts(b.cases[0].Patch, b.cases[0].Device, now))
			}
		},
		"Diff": counted(func(p *Policy, cases []Case) any {
			return slices.Collect(Diff(nil, p, slices.Values(cases), now))
		}),
		"Reassess": counted(func(p *Policy, cases []Case) any {
			newer := *cases[0].Patch
			newer.Released = now.Add(-day.Std())
			catalog, err := patch.NewCatalog([]patch.Patch{newer})
			require.NoError(t, err)
			return slices.Collect(Reassess(p, slices.Values(cases), catalog, now))
		}),
		"NewPreview": counted(func(p *Policy, cases []Case) any {
			v, err := NewPreview(nil, p, slices.Values(cases), now)
			require.NoError(t, err)
			return [3]any{v.Affected, v.Spared, v.Moves} // Total is what was looked at
		}),
		"Preview.Check": func(t *testing.T) {
			for a, b := range pairs() {
				v, err := NewPreview(nil, &a.policy, slices.Values(a.cases), now)
				require.NoError(t, err)
				require.NoError(t, v.Check(nil, &a.policy, slices.Values(a.cases), now))
				require.ErrorIs(t, v.Check(nil, &a.policy, slices.Values(b.cases), now), ErrMoved, "the same IDs of another tenant")
				require.ErrorIs(t, v.Check(nil, &b.policy, slices.Values(a.cases), now), ErrMoved, "the policy of another tenant")
			}
		},

		"Resolve":          resolved(Resolve),
		"NewResolver":      resolved(func(layers []Layer, d *inventory.Device) (*Effective, error) { return NewResolver(layers).Resolve(d) }),
		"Resolver.Resolve": testResolverKeepsTenantsApart,
		"Layer.Applies": func(t *testing.T) {
			for a, b := range pairs() {
				for _, level := range []Level{LevelTenant, LevelGroup, LevelDevice} {
					l := Layer{Name: "l", Tenant: a.tenant, Level: level, Devices: inventory.MustSelector("device.id=d000")}
					require.True(t, l.Applies(a.cases[0].Device))
					require.False(t, l.Applies(b.cases[0].Device))
				}
			}
		},

		"Settle":   settled(func(r Request, d Decision) Ruling { return Settle(r, []Decision{d}, now).Ruling }),
		"Settling": settled(func(r Request, d Decision) Ruling { return Settling(r, []Decision{d}, now).Ruling }),
		"KeyRing.Verify": func(t *testing.T) {
			ring, err := NewKeyRing(Person{Name: "ann", Key: public("ann")})
			require.NoError(t, err)
			for a, b := range pairs() {
				d, err := Decision{Ruling: Approved, By: "ann", Digest: a.request.Digest, At: now}.Sign(key("ann"))
				require.NoError(t, err)
				_, err = ring.Verify(d)
				require.NoError(t, err)
				d.Digest = b.request.Digest
				_, err = ring.Verify(d)
				require.ErrorIs(t, err, ErrSignature, "what was signed for %s is not signed for %s", a.tenant, b.tenant)
			}
		},
		"ApproverFunc.Decide": func(t *testing.T) {
			for a, b := range pairs() {
				f := ApproverFunc(func(_ context.Context, r Request) (Decision, error) {
					return Decision{Ruling: Approved, By: "ann", Digest: r.Digest}, nil
				})
				for _, s := range []side{a, b} {
					d, err := f.Decide(t.Context(), s.request)
					require.NoError(t, err)
					require.Equal(t, s.request.Digest, d.Digest)
				}
			}
		},
	})
}

// One resolver for all tenants, asked in turn: what it remembers for one is never what another one gets.
func testResolverKeepsTenantsApart(t *testing.T) {
	var layers []Layer
	var devices []*inventory.Device
	r := rand.New(rand.NewPCG(1, 4))
	for i, tenant := range []inventory.Tenant{"acme", "acme/berlin", "acme/bonn", "acme2", "acme2/berlin", "zoo"} {
		s := newSide(r, tenant)
		s.layer.Name += fmt.Sprint(i)
		layers = append(layers, s.layer, Layer{Name: fmt.Sprint("till", i), Tenant: tenant, Level: LevelGroup, Devices: inventory.MustSelector("role=till"), Policy: Policy{MaxActive: 2000 + i}})
		for _, c := range s.cases {
			devices = append(devices, c.Device)
		}
	}
	one := NewResolver(layers)
	for range 500 {
		d := devices[r.IntN(len(devices))]
		want, err := NewResolver(layers).Resolve(d)
		require.NoError(t, err)
		got, err := one.Resolve(d)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for _, name := range got.Layers {
			i := slices.IndexFunc(layers, func(l Layer) bool { return l.Name == name })
			require.True(t, layers[i].Tenant.Contains(d.Tenant), "%s for %s", layers[i], d.Tenant)
		}
	}
}
