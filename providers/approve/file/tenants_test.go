package file_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/policy"
)

// One file with a decision about the request of one tenant, and a request of the same ID of another one, which has another
// digest because the tenant is in it.
func TestTenantsAreKeptApart(t *testing.T) {
	mine := policy.Request{ID: "q1/pilot", Tenant: "acme", Digest: "sha256:aa", By: "olga"}
	theirs := policy.Request{ID: "q1/pilot", Tenant: "zoo", Digest: "sha256:bb", By: "olga"}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Approver.Decide": func(t *testing.T) {
			for _, ruling := range []policy.Ruling{policy.Approved, policy.Denied} {
				a, _ := newApprover(t, line(says(ruling, "ann")))
				d, err := a.Decide(t.Context(), mine)
				require.NoError(t, err)
				require.Equal(t, ruling, d.Ruling)
				d, err = a.Decide(t.Context(), theirs)
				require.NoError(t, err)
				require.Zero(t, d)
			}
		},
		"Approver.Decisions": func(t *testing.T) {
			a, _ := newApprover(t, line(says(policy.Approved, "ann"))+line(policy.Decision{Ruling: policy.Denied, By: "bob", Digest: theirs.Digest}))
			for r, by := range map[*policy.Request]string{&mine: "ann", &theirs: "bob"} {
				ds, err := a.Decisions(t.Context(), *r)
				require.NoError(t, err)
				require.Len(t, ds, 1)
				require.Equal(t, by, ds[0].By)
			}
		},
	})
}
