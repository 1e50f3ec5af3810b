package rollout

import (
	"strconv"
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// A claim says which rollout comes first on a device that another one works on. It lasts as long as the window in which it was made, and that
// of a rollback an hour: a rollout that may not begin there any more, or asks no more, keeps nobody waiting.
type claim struct {
	by       Key
	priority int
	until    int64 // 0 for no end
}

// claimFor is how long a claim of what has no window lasts: it is made anew whenever its rollout asks.
const claimFor = int64(time.Hour)

// claims are those of an agenda: by device, and the devices by rollout.
type claims struct {
	on map[inventory.Ref]claim
	of map[Key][]inventory.Ref
}

// drop ends all claims of a rollout.
func (c *claims) drop(k Key) {
	for _, d := range c.of[k] {
		if c.on[d].by == k {
			delete(c.on, d)
		}
	}
	delete(c.of, k)
}

// put remembers that device d of m is wanted and taken, unless a rollout that comes before m wants it too. Rollouts without a priority
// claim nothing: among equals the one that asks first is first.
func (c *claims) put(m *Machine, d int32, now time.Time) {
	priority := m.plan.Policy.Priority
	ref := m.ref(d)
	if old, ok := c.on[ref]; priority <= 0 || ok && old.holds(now) && old.priority >= priority {
		return
	}
	if c.on == nil {
		c.on, c.of = make(map[inventory.Ref]claim), make(map[Key][]inventory.Ref)
	}
	k := m.plan.Key
	x := claim{by: k, priority: priority, until: nanos(now) + claimFor}
	if m.dev[d].op == OpInstall {
		h := m.hoursOf(d, m.groupOf(d))
		if !h.open(max(nanos(now), m.now)) {
			return // a download is all that it may begin
		}
		x.until = h.to
	}
	c.on[ref] = x
	c.of[k] = append(c.of[k], ref)
}

func (c claim) holds(now time.Time) bool { return c.until == 0 || nanos(now) < c.until }

// before returns the claim that comes before m on device d now, if one does. What has begun goes on: only an installation waits.
func (c *claims) before(m *Machine, d int32, now time.Time) (claim, bool) {
	if len(c.on) == 0 || m.dev[d].state != waiting || m.dev[d].op != OpInstall {
		return claim{}, false
	}
	x, ok := c.on[m.ref(d)]
	return x, ok && x.by != m.plan.Key && x.priority > m.plan.Policy.Priority && x.holds(now)
}

// ExplainClaim says which rollout comes before m on device d, if one does: by its priority, or as the device was let go for it before a restart.
func (a *Agenda) ExplainClaim(m *Machine, d inventory.DeviceID, now time.Time) (Message, bool) {
	i, ok := m.plan.Find(d)
	if !ok {
		return Message{}, false
	}
	if x, first := a.wishes.before(m, int32(i), max(nanos(now), m.now)); first {
		return message("wait-kept", "rollout", x.by.String(), "until", clock(instant(x.until))), true
	}
	x, first := a.claims.before(m, int32(i), now)
	if !first {
		return Message{}, false
	}
	return message("wait-priority", "rollout", x.by.String(), "priority", strconv.Itoa(x.priority), "own", strconv.Itoa(m.plan.Policy.Priority)), true
}
