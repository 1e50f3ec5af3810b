package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/memory"
)

func TestAnApproverRefusesAnswersThatWouldBeWorthNothing(t *testing.T) {
	request := policy.Request{ID: "q1/pilot", Digest: "sha256:aa", By: "ann", Patches: []patch.ID{"p"}}
	a := &memory.Approver{Now: func() time.Time { return at(9, 0) }}
	require.EqualError(t, a.Approve("q1/pilot", "sha256:aa", "grace"), `memory: request "q1/pilot": no such request`)
	_, err := a.Decide(t.Context(), request)
	require.NoError(t, err)
	require.EqualError(t, a.Approve("q1/pilot", "sha256:bb", "grace"),
		`memory: request "q1/pilot": what is asked for has changed: its digest is "sha256:aa", not "sha256:bb"`)
	require.EqualError(t, a.Approve("q1/pilot", "sha256:aa", ""), `memory: request "q1/pilot": an answer needs the name of a person`)
	require.EqualError(t, a.Approve("q1/pilot", "sha256:aa", "ann"), `memory: request "q1/pilot": ann asked for it and cannot approve it`)
	d, err := a.Decide(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, policy.Decision{}, d, "nothing has been answered")

	require.NoError(t, a.Deny("q1/pilot", "sha256:aa", "ann", "typo"), "who asks may take it back")
	require.EqualError(t, a.Approve("q1/pilot", "sha256:aa", "grace"), `memory: request "q1/pilot": already denied by ann`)
	d, err = a.Decide(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, policy.Decision{Ruling: policy.Denied, By: "ann", Reason: "typo", Digest: "sha256:aa", At: at(9, 0)}, d)
}

func TestAnotherDigestIsAnotherQuestion(t *testing.T) {
	request := policy.Request{ID: "q1/pilot", Digest: "sha256:aa", By: "ann"}
	a := new(memory.Approver)
	_, err := a.Decide(t.Context(), request)
	require.NoError(t, err)
	require.NoError(t, a.Approve("q1/pilot", "sha256:aa", "grace"))
	require.Empty(t, a.List())
	request.Digest = "sha256:bb"
	d, err := a.Decide(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, policy.Pending, d.Ruling)
	require.Equal(t, []policy.Request{request}, a.List())
}
