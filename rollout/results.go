package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Results say in numbers what became of one rollout, or of several: how many installations a fresh look has proved, how many
// of these at the first attempt, and what the others failed of. They are made from timelines ([Timeline.Results]), so from
// journals alone. The zero value is that of no rollout.
type Results struct {
	Rollouts int    `json:"rollouts"`
	All      Result `json:"all"`

	Tenants []Result  `json:"tenants"` // by name
	Rings   []Result  `json:"rings"`   // in the order in which they open; rings of the same name in several rollouts are one
	Patches []Result  `json:"patches"` // by ID; a device with three patches counts for each of them
	Causes  []Cause   `json:"causes"`  // that of most lasting failures first, then that of most devices
	Failing []Failing `json:"failing"` // those with the most lasting failures first, then those with the most that failed
}

// A Result counts devices by what became of them. A device of two rollouts counts twice.
type Result struct {
	Name       string `json:"name,omitempty"` // of the tenant or ring, or ID of the patch
	Devices    int    `json:"devices"`
	Begun      int    `json:"begun"`          // an installation was begun there
	First      int    `json:"first"`          // proved, by one installation; one that was put off because the device was busy or away is none
	Succeeded  int    `json:"succeeded"`      // proved, First included
	NoNeed     int    `json:"noNeed"`         // already installed, superseded, not applicable
	Failed     int    `json:"failed"`         // and not taken back
	RolledBack int    `json:"rolledBack"`     // taken back, and seen to be gone
	Stuck      int    `json:"stuck"`          // could not be taken back
	Unknown    int    `json:"unknown"`        // not known: under way, not begun yet, or never reached
	Left       int    `json:"left"`           // skipped, cancelled, or gone
	Away       int    `json:"away,omitempty"` // not reached until the deadline for that: in none of the others
}

// Success returns the share of those devices that have failed or succeeded on which the patch was proved to be there, and of
// which the first attempt was enough. Those that had no need, are not known or have left are in neither. Of no device at
// all there is no share: ok is false.
func (r *Result) Success() (eventual, first policy.Share, ok bool) {
	n := r.Succeeded + r.Failed + r.RolledBack + r.Stuck
	if n == 0 {
		return 0, 0, false
	}
	return policy.Share(10000 * r.Succeeded / n), policy.Share(10000 * r.First / n), true
}

// A Cause is what tasks failed of: many devices that say the same have one cause. Its text is what of a provider's words is the
// same on all of them. White space is one space in it, and "#" stands for what differs from device to device or from one time to
// the next: the name of the device, numbers of processes and ports ("pid 4711"), decimal numbers of six digits and more, and
// hexadecimal ones of twelve and more, such as GUIDs and hashes. Short numbers stay: exit codes and versions are made of them. It
// is at most 200 bytes long, and "no answer in time" if nobody answered.
type Cause struct {
	Op      Op          `json:"op"` // what failed
	Fault   patch.Fault `json:"fault,omitzero"`
	Text    string      `json:"text"`    // the provider's words
	Devices int         `json:"devices"` // of which a task failed so
	Tries   int         `json:"tries"`   // tasks that failed so
	Lasting int         `json:"lasting"` // devices whose last failure this was, and that have not succeeded since

	// Examples are up to three of the devices, lasting ones first.
	Examples []inventory.DeviceID `json:"examples"`
}

// String returns the cause in a line for people: "86 devices, 80 still not well: install failed, permanent: no such package".
func (c Cause) String() string {
	what := c.Op.String() + " failed"
	if c.Fault != patch.NoFault {
		what += ", " + c.Fault.String()
	}
	if c.Text != "" {
		what += ": " + c.Text
	}
	devices := "devices"
	if c.Devices == 1 {
		devices = "device"
	}
	if c.Lasting > 0 {
		return fmt.Sprintf("%d %s, %d still not well: %s", c.Devices, devices, c.Lasting, what)
	}
	return fmt.Sprintf("%d %s: %s", c.Devices, devices, what)
}

// Failing is a device of which tasks failed.
type Failing struct {
	Tenant  inventory.Tenant   `json:"tenant"`
	Device  inventory.DeviceID `json:"device"`
	Tries   int                `json:"tries"`   // tasks that failed, in all rollouts
	Lasting int                `json:"lasting"` // rollouts in which it has not succeeded since
}

// noAnswer is the text of the cause of a task that nobody has answered.
const noAnswer = "no answer in time"

// Results counts what the timeline tells so far. It costs as much as a walk over its devices and tasks.
func (t *Timeline) Results() Results {
	p := t.m.plan
	c := newCollector()
	c.r.Rollouts = 1
	for i := range t.lives {
		r := t.result(i)
		c.r.All.add(r)
		c.count(ofTenant, string(p.TenantOf(i)), r)
		c.count(ofRing, p.Rings[p.RingOf(i)].Name, r)
		for j := range p.Contents[p.Content[i]].Patches {
			c.count(ofPatch, string(p.Contents[p.Content[i]].Patches[j].ID), r)
		}
		t.failures(c, i, r.Succeeded+r.NoNeed == 0)
	}
	for i := range p.Rings { // a ring that nobody is in is one, too
		c.count(ofRing, p.Rings[i].Name, Result{})
	}
	return c.results()
}

// Add counts what other says as well. Neither of the two may be about a rollout that the other is about.
func (r *Results) Add(other Results) {
	c := newCollector()
	for _, x := range []*Results{r, &other} {
		c.r.Rollouts += x.Rollouts
		c.r.All.add(x.All)
		for kind, list := range [][]Result{ofTenant: x.Tenants, ofRing: x.Rings, ofPatch: x.Patches} {
			for i := range list {
				c.count(kind, list[i].Name, list[i])
			}
		}
		for i := range x.Causes {
			c.cause(&x.Causes[i])
		}
		for i := range x.Failing {
			c.failing(x.Failing[i])
		}
	}
	*r = c.results()
}

// result is what became of one device.
func (t *Timeline) result(i int) Result {
	s := t.m.Device(i)
	r := Result{Devices: 1}
	installs := 0 // that are attempts
	for j := t.lives[i].last; j > t.lives[i].anew; j = t.tries[j-1].before {
		if x := &t.tries[j-1]; x.op == OpInstall {
			r.Begun = 1
			if x.fault != patch.Busy && x.fault != patch.Unreachable && x.fault != patch.NeedsUser {
				installs++
			}
		}
	}
	switch s.Outcome {
	case Succeeded:
		r.Succeeded = 1
		if installs == 1 {
			r.First = 1
		}
	case AlreadyInstalled, NotApplicable, Superseded:
		r.NoNeed = 1
	case Failed:
		r.Failed = 1
	case RolledBack:
		r.RolledBack = 1
	case RollbackFailed:
		r.Stuck = 1
	case Skipped, Cancelled, Gone:
		r.Left = 1
	case Away:
		r.Away = 1
	default:
		r.Unknown = 1
	}
	return r
}

// failures tells c what the tasks of device i failed of. What is left of them is the cause of the latest, if the failure lasts.
func (t *Timeline) failures(c *collector, i int, lasts bool) {
	var all []Cause // the latest first
	d := t.m.plan.Devices[i]
	f := Failing{Tenant: t.m.plan.TenantOf(i), Device: d}
	for j := t.lives[i].last; j > 0; j = t.tries[j-1].before {
		x := &t.tries[j-1]
		if !x.failed() {
			continue
		}
		f.Tries++
		now := Cause{Op: x.op, Fault: x.fault, Text: causeText(x.message, d), Devices: 1, Tries: 1, Examples: []inventory.DeviceID{d}}
		if x.timedOut {
			now.Fault, now.Text = patch.NoFault, noAnswer
		}
		if at := slices.IndexFunc(all, func(c Cause) bool { return c.key() == now.key() }); at >= 0 {
			all[at].Tries++
			continue
		}
		all = append(all, now)
	}
	if len(all) == 0 {
		return
	}
	if lasts {
		all[0].Lasting, f.Lasting = 1, 1
	}
	for j := range all {
		c.cause(&all[j])
	}
	c.failing(f)
}

// failed says whether the task has ended, and not well. That there was nothing to do is no failure.
func (x *try) failed() bool { return x.timedOut || x.phase == PhaseFailed && !x.fault.Done() }

func (r *Result) add(o Result) {
	r.Devices += o.Devices
	r.Begun += o.Begun
	r.First += o.First
	r.Succeeded += o.Succeeded
	r.NoNeed += o.NoNeed
	r.Failed += o.Failed
	r.RolledBack += o.RolledBack
	r.Stuck += o.Stuck
	r.Unknown += o.Unknown
	r.Left += o.Left
	r.Away += o.Away
}

// The kinds of things that a collector has results of.
const (
	ofTenant = iota
	ofRing
	ofPatch
	numKinds
)

// A collector adds results up.
type collector struct {
	r       Results
	lists   [numKinds][]Result
	at      [numKinds]map[string]int
	causes  map[causeKey]int
	devices map[failingKey]int
}

type causeKey struct {
	op    Op
	fault patch.Fault
	text  string
}

type failingKey struct {
	tenant inventory.Tenant
	device inventory.DeviceID
}

func (c *Cause) key() causeKey { return causeKey{c.Op, c.Fault, c.Text} }

func newCollector() *collector {
	c := &collector{causes: make(map[causeKey]int), devices: make(map[failingKey]int)}
	for i := range c.at {
		c.at[i] = make(map[string]int)
	}
	return c
}

func (c *collector) count(kind int, name string, r Result) {
	i, ok := c.at[kind][name]
	if !ok {
		i = len(c.lists[kind])
		c.at[kind][name] = i
		c.lists[kind] = append(c.lists[kind], Result{Name: name})
	}
	c.lists[kind][i].add(r)
}

func (c *collector) cause(x *Cause) {
	i, ok := c.causes[x.key()]
	if !ok {
		i = len(c.r.Causes)
		c.causes[x.key()] = i
		c.r.Causes = append(c.r.Causes, Cause{Op: x.Op, Fault: x.Fault, Text: x.Text})
	}
	to := &c.r.Causes[i]
	examples := slices.Concat(to.Examples, x.Examples)
	if to.Lasting == 0 && x.Lasting > 0 {
		examples = slices.Concat(x.Examples, to.Examples)
	} else if x.Lasting > 0 { // behind the lasting ones that are there
		at := min(to.Lasting, len(to.Examples))
		examples = slices.Concat(to.Examples[:at], x.Examples, to.Examples[at:])
	}
	to.Examples = examples[:min(3, len(examples))]
	to.Devices += x.Devices
	to.Tries += x.Tries
	to.Lasting += x.Lasting
}

func (c *collector) failing(f Failing) {
	key := failingKey{f.Tenant, f.Device}
	i, ok := c.devices[key]
	if !ok {
		i = len(c.r.Failing)
		c.devices[key] = i
		c.r.Failing = append(c.r.Failing, Failing{Tenant: f.Tenant, Device: f.Device})
	}
	c.r.Failing[i].Tries += f.Tries
	c.r.Failing[i].Lasting += f.Lasting
}

// results returns what was collected, in order.
func (c *collector) results() Results {
	r := c.r
	r.Tenants, r.Rings, r.Patches = c.lists[ofTenant], c.lists[ofRing], c.lists[ofPatch]
	byName := func(a, b Result) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortStableFunc(r.Tenants, byName)
	slices.SortStableFunc(r.Patches, byName)
	slices.SortStableFunc(r.Causes, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Lasting, a.Lasting), cmp.Compare(b.Devices, a.Devices), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Fault, b.Fault),
			cmp.Compare(a.Text, b.Text))
	})
	slices.SortStableFunc(r.Failing, func(a, b Failing) int {
		return cmp.Or(cmp.Compare(b.Lasting, a.Lasting), cmp.Compare(b.Tries, a.Tries), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Device, b.Device))
	})
	return r
}

// String returns the results in a few lines for people.
func (r Results) String() string {
	var b strings.Builder
	line := func(what string, x *Result) {
		fmt.Fprintf(&b, "%s: %d of %d devices have it", what, x.Succeeded, x.Devices)
		if eventual, first, ok := x.Success(); ok {
			fmt.Fprintf(&b, ", success %v, at the first attempt %v", eventual, first)
		}
		b.WriteByte('\n')
	}
	line("all", &r.All)
	if len(r.Rings) > 1 {
		for i := range r.Rings {
			line("  "+r.Rings[i].Name, &r.Rings[i])
		}
	}
	for i, c := range r.Causes {
		if i == 5 {
			fmt.Fprintf(&b, "other causes: %d\n", len(r.Causes)-i)
			break
		}
		fmt.Fprintln(&b, c)
	}
	return b.String()
}
