package rules_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/rules"
)

// A rule for one tenant, and the same request of another one.
func TestTenantsAreKeptApart(t *testing.T) {
	each := func(check func(t *testing.T, rule rules.Rule, mine, theirs policy.Request)) func(*testing.T) {
		return func(t *testing.T) {
			for _, p := range [][2]inventory.Tenant{{"acme", "zoo"}, {"acme/berlin", "acme/bonn"}, {"acme", "acme2"}} {
				for i := range p {
					rule, mine, theirs := fine(), broad(), broad()
					rule.Below, mine.Tenant, theirs.Tenant = p[i], p[i], p[1-i]
					theirs.Digest = "sha256:bb"
					check(t, rule, mine, theirs)
				}
			}
		}
	}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Rule.Approve": each(func(t *testing.T, rule rules.Rule, mine, theirs policy.Request) {
			d, ok := rule.Approve(mine, noon())
			require.True(t, ok)
			require.Equal(t, mine.Digest, d.Digest)
			_, ok = rule.Approve(theirs, noon())
			require.False(t, ok)
			require.Equal(t, policy.Pending, policy.Settle(theirs, []policy.Decision{d}, noon()).Ruling)
		}),
		"New": each(func(t *testing.T, rule rules.Rule, mine, theirs policy.Request) {
			config := []rules.Rule{rule}
			a, err := rules.New(rules.Config{Rules: config, Now: noon})
			require.NoError(t, err)
			config[0].Below = theirs.Tenant // the approver has rules of its own
			d, err := a.Decide(t.Context(), theirs)
			require.NoError(t, err)
			require.Equal(t, policy.Pending, d.Ruling)
		}),
		"Approver.Decide": each(func(t *testing.T, rule rules.Rule, mine, theirs policy.Request) {
			a := with(t, nil, rule)
			d, err := a.Decide(t.Context(), mine)
			require.NoError(t, err)
			require.Equal(t, policy.Approved, d.Ruling)
			d, err = a.Decide(t.Context(), theirs)
			require.NoError(t, err)
			require.Equal(t, policy.Pending, d.Ruling)
		}),
		"Approver.Decisions": each(func(t *testing.T, rule rules.Rule, mine, theirs policy.Request) {
			var asked []inventory.Tenant
			a := with(t, policy.ApproverFunc(func(_ context.Context, r policy.Request) (policy.Decision, error) {
				asked = append(asked, r.Tenant)
				return policy.Decision{}, nil
			}), rule)
			ds, err := a.Decisions(t.Context(), theirs)
			require.NoError(t, err)
			require.Empty(t, ds)
			require.Equal(t, []inventory.Tenant{theirs.Tenant}, asked, "the people are asked about the tenant that asks")
			ds, err = a.Decisions(t.Context(), mine)
			require.NoError(t, err)
			require.Len(t, ds, 1)
		}),
	})
}
