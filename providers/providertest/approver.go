package providertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// ApproverHarness tells [Approver] how to get at an approver, and at the persons behind it.
type ApproverHarness struct {
	// New returns the approver. Nobody has answered anything yet.
	New func(t *testing.T) policy.Approver

	// Request is what is asked for; nil makes one up, asked for by "ann". It must have a digest and a requester.
	Request func(t *testing.T) policy.Request

	// Approve makes the person called by say yes to r, as far as the approver lets them. Deny makes them say no.
	Approve func(t *testing.T, a policy.Approver, r policy.Request, by string)
	Deny    func(t *testing.T, a policy.Approver, r policy.Request, by string)

	// Broken returns an approver that cannot reach those who decide.
	Broken func(t *testing.T) policy.Approver
}

// Approver checks a [policy.Approver], and a [policy.Panel] if it is one.
func Approver(t *testing.T, h ApproverHarness) {
	t.Helper()
	promises := approverPromises()
	if _, ok := h.New(t).(policy.Panel); ok {
		promises = append(promises, panelPromises()...)
	}
	run(t, promises, func(t *testing.T) approverFixture {
		f := approverFixture{ApproverHarness: h, approver: h.New(t), request: policy.Request{ID: "q1/pilot", Tenant: "acme", Rollout: "q1",
			Ring: "pilot", Devices: 12, Patches: []patch.ID{"test:one"}, Digest: "sha256:00aa", By: "ann",
			At: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}}
		if h.Request != nil {
			f.request = h.Request(t)
		}
		require.NotEmpty(t, f.request.Digest, "the harness's request needs a digest")
		require.NotEmpty(t, f.request.By, "the harness's request needs a requester")
		return f
	}, nil)
}

type approverFixture struct {
	ApproverHarness
	approver policy.Approver
	request  policy.Request
}

const grace = "grace" // who answers

func (f approverFixture) decide(t *testing.T) policy.Decision {
	t.Helper()
	d, err := f.approver.Decide(t.Context(), f.request)
	require.NoError(t, err)
	return d
}

func (f approverFixture) approved(t *testing.T) policy.Decision {
	t.Helper()
	need(t, f.Approve != nil, "Approve")
	f.decide(t)
	f.Approve(t, f.approver, f.request, grace)
	return f.decide(t)
}

func (f approverFixture) decisions(t *testing.T) []policy.Decision {
	t.Helper()
	ds, err := f.approver.(policy.Panel).Decisions(t.Context(), f.request)
	require.NoError(t, err)
	return ds
}

// two lets two people approve a request that needs two, and returns who they are, as far as the panel tells.
func (f *approverFixture) two(t *testing.T) []string {
	t.Helper()
	f.request.Needs = []policy.Need{{Quorum: 2}}
	f.decisions(t)
	need(t, f.Approve != nil, "Approve")
	f.Approve(t, f.approver, f.request, grace)
	f.Approve(t, f.approver, f.request, "hans")
	return people(f.decisions(t))
}

func people(ds []policy.Decision) (by []string) {
	for _, d := range ds {
		by = append(by, d.By)
	}
	return by
}

// counts says whether d gives leave for r.
func counts(d policy.Decision, r policy.Request) bool {
	return d.Ruling == policy.Approved && d.By != "" && d.By != r.By && d.Digest == r.Digest
}

func approverPromises() []promise[approverFixture] {
	const worth = "It is worth nothing unless it names a person and repeats the digest of the request."
	return []promise[approverFixture]{
		{"Decide", "nothing is approved before somebody has answered", "not decided yet", func(t *testing.T, f approverFixture) {
			for range 3 {
				require.Equal(t, policy.Pending, f.decide(t).Ruling)
			}
		}},
		{"Decide", "an approval is told", "Decide answers r.", func(t *testing.T, f approverFixture) {
			require.Equal(t, policy.Approved, f.approved(t).Ruling)
		}},
		{"Decide", "an approval names a person", worth, func(t *testing.T, f approverFixture) {
			d := f.approved(t)
			require.True(t, d.Ruling != policy.Approved || d.By != "", "%+v", d)
		}},
		{"Decide", "an approval repeats the digest of the request", worth, func(t *testing.T, f approverFixture) {
			d := f.approved(t)
			require.True(t, d.Ruling != policy.Approved || d.Digest == f.request.Digest, "%+v", d)
		}},
		{"Decide", "a denial is told", "Decide answers r.", func(t *testing.T, f approverFixture) {
			need(t, f.Deny != nil, "Deny")
			f.decide(t)
			f.Deny(t, f.approver, f.request, grace)
			require.Equal(t, policy.Denied, f.decide(t).Ruling)
		}},
		{"Decide", "an equal request is the same question", "two requests with one ID are the same question", func(t *testing.T, f approverFixture) {
			first := f.approved(t)
			require.Equal(t, first, f.decide(t), "asked again after the answer")
		}},
		{"Decide", "whoever asks cannot approve", "who asks; the same person cannot approve", func(t *testing.T, f approverFixture) {
			need(t, f.Approve != nil, "Approve")
			f.decide(t)
			f.Approve(t, f.approver, f.request, f.request.By)
			require.NotEqual(t, policy.Approved, f.decide(t).Ruling)
		}},
		{"Decide", "an approval does not outlive a change of what was asked for", worth, func(t *testing.T, f approverFixture) {
			f.approved(t)
			f.request.Digest += "0"
			d, err := f.approver.Decide(t.Context(), f.request)
			require.False(t, err == nil && counts(d, f.request), "another digest under the same ID was approved: %+v", d)
		}},
		{"Decide", "an error is no answer", "An error means that there is no answer yet; it never counts as one.", func(t *testing.T, f approverFixture) {
			need(t, f.Broken != nil, "Broken")
			d, err := f.Broken(t).Decide(t.Context(), f.request)
			require.Error(t, err)
			require.Equal(t, policy.Pending, d.Ruling)
		}},
		{"Decide", "questions at once do not disturb each other", "It is safe for concurrent use.", func(t *testing.T, f approverFixture) {
			errs := make([]error, 4)
			requests := make([]policy.Request, len(errs))
			for i := range requests {
				requests[i] = f.request
				requests[i].ID = fmt.Sprintf("%s/%d", f.request.ID, i)
			}
			atOnce(len(errs), func(i int) { _, errs[i] = f.approver.Decide(t.Context(), requests[i]) })
			for _, err := range errs {
				require.NoError(t, err)
			}
			if f.Approve == nil {
				return
			}
			f.Approve(t, f.approver, requests[1], grace)
			for i, r := range requests {
				d, err := f.approver.Decide(t.Context(), r)
				require.NoError(t, err)
				require.True(t, i == 1 || d.Ruling == policy.Pending, "request %d got the answer to another one", i)
			}
		}},
	}
}

func panelPromises() []promise[approverFixture] {
	const panel = "Decisions returns all decisions about r so far, in the order in which they came."
	return []promise[approverFixture]{
		{"Decisions", "nobody has decided before somebody has answered", panel, func(t *testing.T, f approverFixture) {
			require.Empty(t, f.decisions(t))
		}},
		{"Decisions", "every answer is told, in the order of the answers", panel, func(t *testing.T, f approverFixture) {
			require.Equal(t, []string{grace, "hans"}, f.two(t))
		}},
		{"Decisions", "the same is told again", panel, func(t *testing.T, f approverFixture) {
			first := f.two(t)
			require.Equal(t, first, people(f.decisions(t)))
		}},
		{"Decisions", "what is told comes to what Decide tells", "Decide then tells what they come to.", func(t *testing.T, f approverFixture) {
			f.two(t)
			s := policy.Settle(f.request, f.decisions(t), f.request.At.AddDate(10, 0, 0))
			require.Equal(t, policy.Approved, s.Ruling, s.String())
			require.Equal(t, s.Ruling, f.decide(t).Ruling)
		}},
		{"Decisions", "an error is no answer", "An error means that they are not known.", func(t *testing.T, f approverFixture) {
			need(t, f.Broken != nil, "Broken")
			p, ok := f.Broken(t).(policy.Panel)
			require.True(t, ok, "the broken approver is a policy.Panel like the other")
			ds, err := p.Decisions(t.Context(), f.request)
			require.Error(t, err)
			require.Empty(t, ds)
		}},
	}
}
