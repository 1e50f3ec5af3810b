package policy

import (
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
)

// Stratum returns what d has under each key of [Policy.Strata], "" for what it lacks: devices with the same values are a stratum.
func (p *Policy) Stratum(d *inventory.Device) []string {
	values := make([]string, len(p.Strata))
	for i, key := range p.Strata {
		values[i], _ = d.Value(key)
	}
	return values
}

// strata checks the keys of the strata.
func (c *checker) strata(p *Policy) {
	seen := make(map[string]int, len(p.Strata))
	for i, key := range p.Strata {
		at := index("strata", i)
		c.name(at, key)
		if err := inventory.CheckKey(key); key != "" && err != nil {
			c.fault(at, "%s", strings.TrimPrefix(err.Error(), "inventory: "))
		}
		if first, ok := seen[key]; ok {
			c.fault(at, "%q is named already, by %s", clip(key), index("strata", first))
			continue
		}
		seen[key] = i
	}
}

// strata warns of strata after which no ring is divided.
func (l *linter) strata() {
	if len(l.policy.Strata) == 0 || slices.ContainsFunc(l.policy.Rings, func(r Ring) bool { return r.Size > 0 || r.Share > 0 }) {
		return
	}
	l.warn(Warning{Code: LintIdleStrata, Path: "strata"})
}
