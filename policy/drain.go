package policy

import (
	"cmp"
	"slices"
	"time"
)

// Drain is about devices that carry load: nodes of a cluster, members of a load balancer, mail relays. Which they are say the budgets
// that have [Budget.Drain]. Such a device is taken out of service (drained) before anything disruptive is begun there, which is an
// installation, a rollback or a restart, and put back once it is known to be well, or if nothing disruptive was begun. Both are tasks of their
// own. The drain is part of the session of what it comes before: in the same window and within the same limits. The device may be put back at any time.
//
// This fails closed. On a device that could not be drained nothing disruptive is begun: the drain is tried again as an installation would be,
// after as many tries the device has failed, and it is left in service. One that has failed after something disruptive was begun there stays
// out of service. One that could not be put back, after as many tries as an installation has, has failed, whatever was installed there.
// Both are told of, and count as disrupted until a person acknowledges them.
type Drain struct {
	Timeout Duration `json:"timeout,omitempty" yaml:"timeout,omitempty"` // for taking a device out of service, and for putting it back; 0 means 1h
}

// WithDefaults returns d with a timeout of an hour if it has none.
func (d Drain) WithDefaults() Drain {
	d.Timeout = cmp.Or(d.Timeout, Duration(time.Hour))
	return d
}

// Drains says whether some budget of p drains its devices.
func (p *Policy) Drains() bool {
	return slices.ContainsFunc(p.Budgets, func(b Budget) bool { return b.Drain })
}

func (c *checker) drain(p *Policy) {
	if c.duration("drain.timeout", p.Drain.Timeout); p.Drain.Timeout > 0 && !p.Drains() {
		c.fault("drain.timeout", "there is a timeout, but no budget drains its devices")
	}
}
