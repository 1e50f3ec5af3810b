package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// A Census remembers what the devices of a fleet are like, to say of a plan how much of that its first rings cover: a test ring without a
// single device of a kind says nothing about that kind. It keeps a number for each device and key. It is made by [NewCensus], and is not
// safe for concurrent use.
type Census struct {
	keys    []string
	apps    []string
	values  [][]string          // by key: each value once
	numbers []map[string]uint32 // by key: the number of a value, plus one
	devices []inventory.Ref
	has     []uint32 // by device, then by key: the number of its value, plus one; 0 for none
}

// NewCensus makes an empty census of the labels and facts that keys name, as in a [inventory.Selector] ("device.version", "model"), and of
// who has each of these applications, by the names under which [inventory.Software] lists them. A key that no selector may name is an error.
func NewCensus(keys, apps []string) (*Census, error) {
	c := &Census{keys: slices.Clone(keys), apps: slices.Clone(apps), values: make([][]string, len(keys)+len(apps)),
		numbers: make([]map[string]uint32, len(keys)+len(apps))}
	for _, key := range keys {
		if err := inventory.CheckKey(key); err != nil {
			return nil, fmt.Errorf("rollout: census: %w", err)
		}
	}
	for i := range c.numbers {
		c.numbers[i] = make(map[string]uint32)
	}
	return c, nil
}

// Add looks at a device. Each is to be added once.
func (c *Census) Add(d *inventory.Device) {
	c.devices = append(c.devices, inventory.Ref{Tenant: d.Tenant, Device: d.ID})
	for i, key := range c.keys {
		v, found := d.Value(key)
		c.note(i, v, found)
	}
	for i, app := range c.apps {
		c.note(len(c.keys)+i, "installed", slices.ContainsFunc(d.Software, func(s inventory.Software) bool { return s.Name == app }))
	}
}

func (c *Census) note(key int, value string, found bool) {
	if !found {
		c.has = append(c.has, 0)
		return
	}
	n, known := c.numbers[key][value]
	if !known {
		c.values[key] = append(c.values[key], value)
		n = uint32(len(c.values[key]))
		c.numbers[key][value] = n
	}
	c.has = append(c.has, n)
}

// A Coverage says how much of the fleet some rings of a plan are like, by one key.
type Coverage struct {
	Key     string `json:"key"`     // a label, a fact, or "app " and the name of an application
	Devices int    `json:"devices"` // that have a value
	Covered int    `json:"covered"` // of these: whose value a device of the rings has too

	Least policy.Share `json:"least,omitempty"` // what the policy wants of it; 0 for nothing

	Uncovered []Uncovered `json:"uncovered,omitempty"` // those that no device of the rings has, that of most devices first
}

// Uncovered is a value that no device of the rings has.
type Uncovered struct {
	Value   string `json:"value"`
	Devices int    `json:"devices"`
}

// Share returns the covered part of the devices, rounded down; 0 if there are none: nothing is not everything.
func (c *Coverage) Share() policy.Share {
	if c.Devices == 0 {
		return 0
	}
	return policy.Share(int64(c.Covered) * 10000 / int64(c.Devices))
}

// Short says whether less is covered than the policy wants.
func (c *Coverage) Short() bool { return c.Least > 0 && c.Share() < c.Least }

// censusOf makes a census for what a policy wants to be covered; nil if that is nothing.
func censusOf(p *policy.Policy) (*Census, error) {
	if len(p.Covers) == 0 {
		return nil, nil
	}
	var keys, apps []string
	for i := range p.Covers {
		if x := &p.Covers[i]; x.Of != "" {
			keys = append(keys, x.Of)
		} else {
			apps = append(apps, x.App)
		}
	}
	return NewCensus(keys, apps)
}

// wanted returns what the first ring of p covers, in the order of its policy.
func (c *Census) wanted(p *Plan) []Coverage {
	if c == nil {
		return nil
	}
	var all []Coverage
	covers := c.Covers(p, 1)
	for i := range p.Policy.Covers {
		x := &p.Policy.Covers[i]
		key := cmp.Or(x.Of, "app "+x.App)
		if at := slices.IndexFunc(covers, func(o Coverage) bool { return o.Key == key }); at >= 0 {
			covers[at].Least = x.Least
			all = append(all, covers[at])
		}
	}
	return all
}

// String returns c on one line: `model: 80% of 50 devices; not covered: x1 (7), x2 (3)`, at most five of them.
func (c Coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s of %s", c.Key, c.Share(), count(c.Devices, "device"))
	for i, u := range c.Uncovered[:min(len(c.Uncovered), namesShown)] {
		sep := ", "
		if i == 0 {
			sep = "; not covered: "
		}
		fmt.Fprintf(&b, "%s%s (%d)", sep, cmp.Or(u.Value, `""`), u.Devices)
	}
	if more := len(c.Uncovered) - namesShown; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// Covers says, key by key, how much of the fleet the first rings of p cover, so many of them. Devices of the census that are not in the
// plan are part of the fleet, and cover nothing; those of other tenants than the plan's and those below it are left out.
func (c *Census) Covers(p *Plan, rings int) []Coverage {
	n := len(c.values)
	all, tried := make([][]int, n), make([][]bool, n)
	for k := range n {
		all[k], tried[k] = make([]int, len(c.values[k])), make([]bool, len(c.values[k]))
	}
	for i, d := range c.devices {
		if !p.Tenant.Contains(d.Tenant) {
			continue
		}
		at, planned := p.Find(d.Device)
		tests := planned && p.TenantOf(at) == d.Tenant && p.RingOf(at) < rings
		for k, v := range c.has[i*n : i*n+n] {
			if v > 0 {
				all[k][v-1]++
				tried[k][v-1] = tried[k][v-1] || tests
			}
		}
	}
	covers := make([]Coverage, n)
	for k := range covers {
		x := &covers[k]
		if k < len(c.keys) {
			x.Key = c.keys[k]
		} else {
			x.Key = "app " + c.apps[k-len(c.keys)]
		}
		for v, devices := range all[k] {
			x.Devices += devices
			if tried[k][v] {
				x.Covered += devices
			} else if devices > 0 {
				x.Uncovered = append(x.Uncovered, Uncovered{c.values[k][v], devices})
			}
		}
		slices.SortFunc(x.Uncovered, func(a, b Uncovered) int {
			return cmp.Or(cmp.Compare(b.Devices, a.Devices), strings.Compare(a.Value, b.Value))
		})
	}
	return covers
}
