package policy

import (
	"github.com/patchflow/patchflow/inventory"
)

// A Cover says how much of a fleet the first ring of a rollout is to be like: a test ring without a single device of a kind says nothing
// about that kind. A plan tells how much it covers, and says so if that is less; nothing is refused for it.
type Cover struct {
	Of    string `json:"of,omitempty" yaml:"of,omitempty"`       // a label, or a fact such as device.version or device.model
	App   string `json:"app,omitempty" yaml:"app,omitempty"`     // instead of Of: who has this application, by its name in the inventory
	Least Share  `json:"least,omitempty" yaml:"least,omitempty"` // of the devices that have a value, so many are to have one that the first ring has too
}

func (c *checker) covers(path string, all []Cover) {
	seen := make(map[string]int)
	for i := range all {
		x, at := &all[i], index(path, i)
		switch {
		case (x.Of == "") == (x.App == ""):
			c.fault(at, "want one of of and app")
		case x.Of != "":
			if err := inventory.CheckKey(x.Of); err != nil {
				c.fault(join(at, "of"), "%w", err)
			}
			c.unique(join(at, "of"), path, "of "+x.Of, seen, i)
		default:
			c.name(join(at, "app"), x.App)
			c.unique(join(at, "app"), path, "app "+x.App, seen, i)
		}
		c.share(join(at, "least"), x.Least)
		if x.Least == 0 {
			c.fault(join(at, "least"), "missing")
		}
	}
}
