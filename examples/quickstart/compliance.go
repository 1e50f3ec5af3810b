package main

import (
	"context"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Compliance counts devices that miss no security patch. A device of which anything is unknown is not one of them; one
// that the policy rejects patches for is left out of the count.
type compliance struct {
	At        time.Time
	Devices   int // all
	Excluded  int // the policy rejects security patches for them
	Compliant int // the numerator
	Missing   int // miss a security patch
	Held      int // among these: miss none but those that the policy holds
	Unknown   int // nothing is known to be missing, and not everything is known
}

// Denominator is what the share is taken of: all devices but those excluded.
func (c compliance) Denominator() int { return c.Devices - c.Excluded }

// Percent is the share of compliant devices, rounded down; 0 of 0 is none.
func (c compliance) Percent() float64 {
	if c.Denominator() == 0 {
		return 0
	}
	return float64(c.Compliant*1000/c.Denominator()) / 10
}

func complianceOf(ctx context.Context, source inventory.Source, catalog *patch.Catalog, rules policy.Policy, now time.Time) (compliance, error) {
	c := compliance{At: now}
	for d, err := range source.Devices(ctx, inventory.Query{}) {
		if err != nil {
			return compliance{}, err
		}
		c.Devices++
		a := inventory.Assess(catalog, &d)
		missing, held, rejected := 0, 0, 0
		for _, f := range a.Findings {
			p, found := catalog.Get(f.Patch)
			if !found || p.Classification != patch.ClassSecurity {
				continue
			}
			missing++
			switch rules.Decide(p, &d, now).Verdict {
			case policy.Hold:
				held++
			case policy.Reject:
				rejected++
			}
		}
		switch {
		case rejected > 0:
			c.Excluded++
		case missing > 0:
			c.Missing++
			if held == missing {
				c.Held++
			}
		case !a.Covered || len(a.Unknown) > 0:
			c.Unknown++
		default:
			c.Compliant++
		}
	}
	return c, nil
}
