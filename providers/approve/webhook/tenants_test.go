package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/webhook"
)

// Two tenants whose requests have one ID, and another system that knows what was decided for one of them.
func TestTenantsAreKeptApart(t *testing.T) {
	mine := policy.Request{ID: "q1/pilot", Tenant: "acme", Digest: "sha256:aa", By: "olga"}
	theirs := policy.Request{ID: "q1/pilot", Tenant: "zoo", Digest: "sha256:bb", By: "olga"}
	approval := policy.Decision{Ruling: policy.Approved, By: "ann", Digest: mine.Digest, At: noon()}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Client.Decide": func(t *testing.T) {
			o, c := newOther(t)
			o.decide(mine.ID, approval) // it mixes the tenants up: it goes by the ID alone
			d, err := c.Decide(t.Context(), mine)
			require.NoError(t, err)
			require.Equal(t, policy.Approved, d.Ruling)
			d, err = c.Decide(t.Context(), theirs)
			require.NoError(t, err)
			require.Equal(t, policy.Pending, d.Ruling)
		},
		"Client.Decisions": func(t *testing.T) {
			o, c := newOther(t)
			o.decide(mine.ID, approval)
			ds, err := c.Decisions(t.Context(), theirs)
			require.NoError(t, err)
			require.Equal(t, policy.Pending, policy.Settle(theirs, ds, noon()).Ruling, "what comes is worth nothing for another digest")
		},
		"NewHandler": func(t *testing.T) { // one for each tenant: neither takes what is the other's
			for _, tenant := range []string{"zoo", "acme2", "acme/bonn"} {
				k := newHook(t, func(c *webhook.HandlerConfig) { c.Tenant = inventory.Tenant(tenant) })
				require.Equal(t, http.StatusForbidden, k.post(t, secret(1), "m1", noon(), body, nil), tenant)
				require.Empty(t, k.taken)
			}
		},
		"Handler.ServeHTTP": func(t *testing.T) {
			k := newHook(t, nil)
			for i, tenant := range []string{"zoo", "acme2", "acm", ""} {
				swapped := strings.Replace(body, "acme/berlin", tenant, 1)
				require.Equal(t, http.StatusForbidden, k.post(t, secret(1), string(rune('a'+i)), noon(), swapped, nil), tenant)
			}
			require.Empty(t, k.taken)
			require.Equal(t, http.StatusNoContent, k.post(t, secret(1), "m1", noon(), body, nil))
			require.Equal(t, []string{"acme/berlin q1 approved ann"}, k.taken, "the tenant that the message names, and no other")
		},
	})
}
