package celpolicy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/celpolicy"
)

// Two devices with one ID, of two tenants, and an expression about one of these.
func TestTenantsAreKeptApart(t *testing.T) {
	x := &patch.Patch{ID: "x:1"}
	said := func(ask func(p *celpolicy.Predicate, devices ...*inventory.Device) []patch.Tri) func(*testing.T) {
		return func(t *testing.T) {
			for _, pair := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}} {
				for i := range pair {
					p, err := celpolicy.Compile(`device.tenant == "`+string(pair[i])+`"`, celpolicy.Config{})
					require.NoError(t, err)
					mine, theirs := &inventory.Device{Tenant: pair[i], ID: "d"}, &inventory.Device{Tenant: pair[1-i], ID: "d"}
					require.Equal(t, []patch.Tri{patch.Yes, patch.No, patch.Yes}, ask(p, mine, theirs, mine))
				}
			}
		}
	}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Predicate.Eval": said(func(p *celpolicy.Predicate, devices ...*inventory.Device) (all []patch.Tri) {
			for _, d := range devices {
				holds, err := p.Eval(x, d, noon())
				require.NoError(t, err)
				all = append(all, holds)
			}
			return all
		}),
		"Memo.Eval": said(func(p *celpolicy.Predicate, devices ...*inventory.Device) (all []patch.Tri) {
			m := p.For(x, noon())
			for _, d := range devices {
				holds, err := m.Eval(d)
				require.NoError(t, err)
				all = append(all, holds)
			}
			return all
		}),
	})
}
