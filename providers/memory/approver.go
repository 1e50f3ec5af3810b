package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// An Approver is a queue of questions: requests come in by Decide and stay pending until a person answers with Approve or
// Deny. Nothing is approved by default, nobody approves their own request, and the first answer stands.
//
// An answer is bound to the digest of what was asked. If a request comes in with the ID of another and a different digest,
// it takes the other's place and is pending, whatever was answered before.
//
// The zero Approver is ready to use. It is safe for concurrent use, but for Now, which is set before the first call.
type Approver struct {
	// Now tells the time of answers; nil means [time.Now].
	Now func() time.Time

	mu    sync.Mutex
	asked list[string, question]
}

type question struct {
	request policy.Request
	answer  policy.Decision
}

var _ policy.Approver = (*Approver)(nil)

// Decide implements [policy.Approver].
func (a *Approver) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	if err := ctx.Err(); err != nil {
		return policy.Decision{}, fmt.Errorf("memory: request %q: %w", r.ID, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q, found := a.asked.get(r.ID)
	if !found || q.request.Digest != r.Digest {
		r.Patches = slices.Clone(r.Patches)
		q = question{request: r}
		a.asked.put(r.ID, q)
	}
	return q.answer, nil
}

// List returns the requests that are pending, oldest first.
func (a *Approver) List() []policy.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	var pending []policy.Request
	for i := range a.asked.values {
		if q := &a.asked.values[i]; q.answer.Ruling == policy.Pending {
			r := q.request
			r.Patches = slices.Clone(r.Patches)
			pending = append(pending, r)
		}
	}
	return pending
}

// Approve answers yes, in the name of a person, to the pending request with this ID and digest. The digest is that of the
// request that the person has seen: if another one has taken its place meanwhile, Approve fails. It also fails for the
// person who made the request, and if there is an answer already.
func (a *Approver) Approve(id string, d patch.Digest, by string) error {
	return a.answer(id, d, policy.Decision{Ruling: policy.Approved, By: by})
}

// Deny answers no, with a reason for people. Its errors are those of Approve, except that those who made a request may deny
// it themselves.
func (a *Approver) Deny(id string, d patch.Digest, by, reason string) error {
	return a.answer(id, d, policy.Decision{Ruling: policy.Denied, By: by, Reason: reason})
}

func (a *Approver) answer(id string, d patch.Digest, answer policy.Decision) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, found := a.asked.get(id)
	switch {
	case !found:
		return fmt.Errorf("memory: request %q: no such request", id)
	case q.request.Digest != d:
		return fmt.Errorf("memory: request %q: what is asked for has changed: its digest is %q, not %q", id, q.request.Digest, d)
	case q.answer.Ruling != policy.Pending:
		return fmt.Errorf("memory: request %q: already %s by %s", id, q.answer.Ruling, q.answer.By)
	case answer.By == "":
		return fmt.Errorf("memory: request %q: an answer needs the name of a person", id)
	case answer.Ruling == policy.Approved && answer.By == q.request.By:
		return fmt.Errorf("memory: request %q: %s asked for it and cannot approve it", id, answer.By)
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	answer.Digest, answer.At = d, now()
	q.answer = answer
	a.asked.put(id, q)
	return nil
}
