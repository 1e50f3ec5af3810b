// Package rules is a [policy.Approver] that gives leave by rule, for what nobody wants to be asked about every month: a ring
// may open once the ring before it has done well enough.
//
// A rule only ever approves, and only where the policy allows one ([policy.Need.ByRule]) and a ring has passed its own gate;
// package rollout looks at both again. What no rule approves goes to Config.Next, the approver of the people, and they may deny
// what a rule would approve, as long as the ring is not open: [Rule.Wait] gives them the time.
//
// It was tested with providers/memory as the next approver. It knows what the request says, and nothing else.
package rules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Rule approves the rings that it is about once enough is known of those before. Everything that it says must hold.
type Rule struct {
	Name  string           `json:"name" yaml:"name"`
	Rings []string         `json:"rings,omitempty" yaml:"rings,omitempty"` // that it may open, by name; none means all
	Below inventory.Tenant `json:"below,omitempty" yaml:"below,omitempty"` // for this tenant and those below it; "" for all
	After string           `json:"after,omitempty" yaml:"after,omitempty"` // the ring that counts; "" means all that have passed, together
	Only  []patch.ID       `json:"only,omitempty" yaml:"only,omitempty"`   // every patch must be one of these; a trailing * matches the rest of a name; none means any
	Wait  policy.Duration  `json:"wait,omitempty" yaml:"wait,omitempty"`   // how long people may object, from when they were asked

	MinSucceeded int `json:"minSucceeded" yaml:"minSucceeded"`                 // so many devices must have succeeded; at least 1
	MaxBad       int `json:"maxBad,omitempty" yaml:"maxBad,omitempty"`         // and no more than so many failed or been rolled back
	MaxDevices   int `json:"maxDevices,omitempty" yaml:"maxDevices,omitempty"` // for rings of no more than so many devices; 0 means any
}

// Config says what an [Approver] is made of.
type Config struct {
	Rules []Rule           // the first that approves does
	Next  policy.Approver  // asked first, for what people have said; nil means nobody
	Now   func() time.Time // nil means [time.Now]
}

// An Approver gives leave by rule. It is a [policy.Panel], and safe for concurrent use if Config.Next is.
type Approver struct{ cfg Config }

var (
	_ policy.Approver = (*Approver)(nil)
	_ policy.Panel    = (*Approver)(nil)
)

// New makes an approver. A rule that would approve without any success before is refused.
func New(cfg Config) (*Approver, error) {
	names := make(map[string]bool)
	for i, r := range cfg.Rules {
		bad := func(what string) (*Approver, error) {
			return nil, fmt.Errorf("rules: rule %d, %q: %s", i+1, r.Name, what)
		}
		switch {
		case strings.TrimSpace(r.Name) == "":
			return bad("the name is missing")
		case names[r.Name]:
			return bad("another one has that name")
		case r.MinSucceeded < 1:
			return bad("minSucceeded must be 1 or more: nothing is approved without a success before")
		case r.MaxBad < 0 || r.MaxDevices < 0 || r.Wait < 0:
			return bad("maxBad, maxDevices and wait cannot be negative")
		case slices.ContainsFunc(r.Only, func(id patch.ID) bool {
			star := strings.IndexByte(string(id), '*')
			return id == "" || id == "*" || star >= 0 && star < len(id)-1
		}):
			return bad("only: want patches, or the beginning of their names and a * at the end")
		}
		names[r.Name] = true
	}
	if len(cfg.Rules) == 0 && cfg.Next == nil {
		return nil, errors.New("rules: neither rules nor a next approver: nothing could be approved")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Rules = slices.Clone(cfg.Rules)
	return &Approver{cfg}, nil
}

// Decide implements [policy.Approver]: it returns the decision that settles r.
func (a *Approver) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	ds, err := a.Decisions(ctx, r)
	if err != nil {
		return policy.Decision{}, err
	}
	return policy.Settling(r, ds, a.cfg.Now()), nil
}

// Decisions implements [policy.Panel]: what the next approver has, and then that of the first rule that approves. If the next
// approver has an error, so has this one: somebody may have denied.
func (a *Approver) Decisions(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("rules: request %q: %w", r.ID, err)
	}
	ds, err := a.people(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("rules: request %q: the next approver: %w", r.ID, err)
	}
	for i := range a.cfg.Rules {
		if d, ok := a.cfg.Rules[i].Approve(r, a.cfg.Now()); ok {
			return append(slices.Clip(ds), d), nil
		}
	}
	return ds, nil
}

func (a *Approver) people(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	switch next := a.cfg.Next.(type) {
	case nil:
		return nil, nil
	case policy.Panel:
		return next.Decisions(ctx, r)
	default:
		d, err := next.Decide(ctx, r)
		if err != nil || d.Ruling == policy.Pending {
			return nil, err
		}
		return []policy.Decision{d}, nil
	}
}

// Approve returns the rule's decision about r at the time now, and whether it approves. It is pure: the same request gets the
// same decision, dated when its wait was over.
func (x *Rule) Approve(r policy.Request, now time.Time) (policy.Decision, bool) {
	at := r.At.Add(x.Wait.Std())
	switch {
	case r.Whole || !slices.ContainsFunc(r.Needs, func(n policy.Need) bool { return n.ByRule }),
		len(x.Rings) > 0 && !slices.Contains(x.Rings, r.Ring),
		!x.Below.Contains(r.Tenant),
		x.MaxDevices > 0 && r.Devices > x.MaxDevices,
		slices.ContainsFunc(r.Patches, func(id patch.ID) bool { return !x.may(id) }),
		now.Before(at):
		return policy.Decision{}, false
	}
	devices, succeeded, bad := 0, 0, 0
	var rings []string
	for _, p := range r.Passed {
		if x.After == "" || x.After == p.Ring {
			devices, succeeded, bad = devices+p.Devices, succeeded+p.Succeeded, bad+p.Bad
			rings = append(rings, p.Ring)
		}
	}
	if len(rings) == 0 || succeeded < max(x.MinSucceeded, 1) || bad > x.MaxBad {
		return policy.Decision{}, false
	}
	return policy.Decision{
		Ruling: policy.Approved, By: "rule:" + x.Name, Rule: x.Name, Digest: r.Digest, At: at,
		Reason: fmt.Sprintf("%s passed: %d of %d devices succeeded, %d failed", strings.Join(rings, " and "), succeeded, devices, bad),
	}, true
}

// may says whether the rule is about a patch.
func (x *Rule) may(id patch.ID) bool {
	return len(x.Only) == 0 || slices.ContainsFunc(x.Only, func(only patch.ID) bool {
		begin, star := strings.CutSuffix(string(only), "*")
		return only == id || star && strings.HasPrefix(string(id), begin)
	})
}
