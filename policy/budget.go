package policy

import (
	"fmt"
	"math"
	"strings"

	"github.com/patchflow/patchflow/inventory"
)

// A Budget bounds how many devices of one failure domain are disrupted at once, or begun in a while: those of a site, of a cluster, of
// a pair that must never be down together; and it says when so many tries have failed there that no more are made for a while. A failure domain is the devices of one tenant that Devices picks and that have the same values of all
// labels in Per. A device that lacks one of these labels belongs to no domain, and the budget says nothing about it.
//
// A device is disrupted from when work on it begins until it is verified to be well. One that failed stays disrupted until a person
// acknowledges it, also when its rollout is over. All rollouts of the tenant that have a budget over the same Devices and Per count together, each against its own
// limit; so do the devices that those under way have begun, where their rates have the same span.
type Budget struct {
	Name    string             `json:"name" yaml:"name"`
	Devices inventory.Selector `json:"devices,omitzero" yaml:"devices,omitempty"` // that it is about; none means all
	Per     []string           `json:"per,omitempty" yaml:"per,omitempty"`        // labels that tell the domains apart; none means one domain for each tenant
	Count   int                `json:"count,omitempty" yaml:"count,omitempty"`    // at most so many at once; 0 means that only Share counts
	Share   Share              `json:"share,omitempty" yaml:"share,omitempty"`    // at most this part of the domain, see [Budget.Limit]; 0 means that only Count counts
	Rate    Rate               `json:"rate,omitzero" yaml:"rate,omitempty"`       // at most so many of the domain begun in a while; none unless set
	Breaker Breaker            `json:"breaker,omitzero" yaml:"breaker,omitempty"` // after how many failed tries nothing more is begun in the domain for a while; never unless set

	// Drain has the devices of the domains taken out of service before anything disruptive is begun there, and put back after it ([Drain]). A
	// device that Devices picks and that lacks a label of Per is left out of the plan then, and told of.
	Drain bool `json:"drain,omitempty" yaml:"drain,omitempty"`
}

// Limit returns how many devices may be disrupted at once in a domain of so many devices: the lesser of Count and Share of them.
// A share is rounded down, but never below one device: a smaller domain could never be patched at all. With neither there is no limit,
// which is the greatest int32.
func (b *Budget) Limit(devices int) int {
	switch {
	case b.Share == 0 && b.Count == 0:
		return math.MaxInt32
	case b.Share == 0:
		return b.Count
	}
	limit := max(int(int64(devices)*int64(b.Share)/int64(whole)), 1)
	if b.Count > 0 {
		limit = min(limit, b.Count)
	}
	return limit
}

// Misplaces says whether b drains d and cannot tell in which domain it is: it picks d, which lacks a label of Per. Nothing disruptive may be begun there.
func (b *Budget) Misplaces(d *inventory.Device) bool {
	_, ok := b.Domain(d)
	return b.Drain && !ok && (b.Devices.IsZero() || b.Devices.Matches(d))
}

// Domain returns the values of the labels in Per that d has, and whether d belongs to a domain of b at all.
func (b *Budget) Domain(d *inventory.Device) ([]string, bool) {
	if !b.Devices.IsZero() && !b.Devices.Matches(d) {
		return nil, false
	}
	values := make([]string, len(b.Per))
	for i, key := range b.Per {
		v, ok := d.Labels[key]
		if !ok {
			return nil, false
		}
		values[i] = v
	}
	return values, true
}

// String returns what b allows, on one line: `at most 2 or 10%, and 20 in 1h of each site; breaker trips after 5 failures in a row, for 1h`.
func (b Budget) String() string {
	var most []string
	if b.Count > 0 {
		most = append(most, fmt.Sprint(b.Count))
	}
	if b.Share > 0 {
		most = append(most, b.Share.String())
	}
	var parts []string
	if len(most) > 0 {
		parts = append(parts, "at most "+strings.Join(most, " or "))
	}
	if !b.Rate.IsZero() {
		parts = append(parts, b.Rate.String())
	}
	if len(parts) == 0 {
		parts = append(parts, "no limit")
	}
	s := strings.Join(parts, ", and ") + " of "
	if len(b.Per) > 0 {
		s += "each " + strings.Join(b.Per, " and ")
	} else {
		s += "each tenant"
	}
	if !b.Devices.IsZero() {
		s += ", of " + b.Devices.String()
	}
	if !b.Breaker.IsZero() {
		s += "; breaker trips " + b.Breaker.String()
	}
	if b.Drain {
		s += "; drained first"
	}
	return s
}

func (b *Budget) identity() *string { return &b.Name }

func (c *checker) budgets(budgets []Budget) {
	seen := make(map[string]int, len(budgets))
	for i := range budgets {
		b, at := &budgets[i], index("budgets", i)
		c.name(join(at, "name"), b.Name)
		c.unique(join(at, "name"), "budgets", b.Name, seen, i)
		keys := make(map[string]int, len(b.Per))
		for j, key := range b.Per {
			c.name(index(join(at, "per"), j), key)
			if first, ok := keys[key]; ok {
				c.fault(index(join(at, "per"), j), "%q is named already, by %s", clip(key), index(join(at, "per"), first))
			}
			keys[key] = j
		}
		c.count(join(at, "count"), b.Count)
		c.share(join(at, "share"), b.Share)
		c.rate(join(at, "rate"), b.Rate)
		c.breaker(join(at, "breaker"), b.Breaker)
		if b.Count == 0 && b.Share == 0 && b.Rate.IsZero() && b.Breaker.IsZero() && !b.Drain {
			c.fault(at, "neither count nor share says how many devices may be disrupted at once, nor rate how many may be begun, nor breaker when no more are; nor are they drained")
		}
	}
}
