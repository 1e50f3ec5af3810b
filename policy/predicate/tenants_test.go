package predicate

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// Two devices with one ID, of two tenants, and an expression about one of these.
func TestTenantsAreKeptApart(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	x := &patch.Patch{ID: "x:1"}
	each := func(check func(t *testing.T, e Expr, mine, theirs *inventory.Device)) func(*testing.T) {
		return func(t *testing.T) {
			for _, p := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}} {
				for i := range p {
					check(t, MustParse(`device.tenant = "`+string(p[i])+`"`), &inventory.Device{Tenant: p[i], ID: "d", LastSeen: now},
						&inventory.Device{Tenant: p[1-i], ID: "d", LastSeen: now.Add(-time.Hour)})
				}
			}
		}
	}
	said := func(ask func(p *Predicate, f Facts) bool) func(*testing.T) {
		return each(func(t *testing.T, e Expr, mine, theirs *inventory.Device) {
			require.True(t, ask(Compile(e), Facts{Patch: x, Device: mine, Now: now}))
			require.False(t, ask(Compile(e), Facts{Patch: x, Device: theirs, Now: now}))
		})
	}
	ref := func(d *inventory.Device) inventory.Ref { return inventory.Ref{Tenant: d.Tenant, Device: d.ID} }
	tenancy.Cases(t, map[string]func(*testing.T){
		"Predicate.Eval":     said(func(p *Predicate, f Facts) bool { return p.Eval(f) == patch.Yes }),
		"Predicate.Matches":  said((*Predicate).Matches),
		"Predicate.MayMatch": said((*Predicate).MayMatch),
		"Set.Signature": each(func(t *testing.T, e Expr, mine, theirs *inventory.Device) {
			s := NewSet(e)
			a, _ := s.Signature(mine, now)
			b, _ := s.Signature(theirs, now)
			require.NotEqual(t, a, b)
			require.Equal(t, patch.Yes, s.Eval(0, a, x, now))
			require.Equal(t, patch.No, s.Eval(0, b, x, now))
		}),
		"Expr.Turns": each(func(t *testing.T, _ Expr, mine, theirs *inventory.Device) {
			e := MustParse(`device.age.seen > 7d`)
			a, b := e.Turns(Facts{Device: mine, Now: now}), e.Turns(Facts{Device: theirs, Now: now})
			require.NotEmpty(t, a)
			require.Equal(t, a[0].Add(-time.Hour), b[0], "each goes by its own device")
		}),
		"Groups.Put": each(func(t *testing.T, e Expr, mine, theirs *inventory.Device) {
			g := NewGroups(NewSet(e))
			a, b := g.Put(mine, now), g.Put(theirs, now)
			require.NotEqual(t, a, b)
			require.Equal(t, 2, g.Devices(), "neither takes the place of the other")
			require.Equal(t, []inventory.Ref{ref(mine)}, slices.Collect(g.Members(a)))
			require.Equal(t, []inventory.Ref{ref(theirs)}, slices.Collect(g.Members(b)))
		}),
		"Groups.Of": each(func(t *testing.T, e Expr, mine, theirs *inventory.Device) {
			g := NewGroups(NewSet(e))
			g.Put(mine, now)
			_, known := g.Of(ref(mine))
			require.True(t, known)
			_, known = g.Of(ref(theirs))
			require.False(t, known)
		}),
		"Groups.Remove": each(func(t *testing.T, e Expr, mine, theirs *inventory.Device) {
			g := NewGroups(NewSet(e))
			g.Put(mine, now)
			require.False(t, g.Remove(ref(theirs)))
			require.Equal(t, 1, g.Devices())
			require.True(t, g.Remove(ref(mine)))
		}),
	})
}
