package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// ErrJoin is wrapped by the error for a device that cannot join a rollout. Nothing was changed.
var ErrJoin = errors.New("device cannot join")

// Joined says that these devices have turned up, and miss what the rollout installs. All of them join it, or, with an error that wraps
// [ErrJoin] for each that cannot, none. A device whose policy ignores joiners cannot ([policy.Joiners]).
//
// A device gets the ring in which it would have been, had it been there when the plan was made: the one that claims it, or the one in
// whose part of the order of the hashes its own hash falls, in its stratum. If that ring soaks already or is judged, it gets the next one that
// is not, and if all are, the last; and if it is a host, none before the latest ring of its guests. There it waits like all others, for its window and under the same ramp, limits, rates and budgets.
type Joined struct {
	At      time.Time
	Joiners []Joiner
}

func (s Joined) when() time.Time { return s.At }

// A Joiner is a device that is to join a rollout. [Scope.Joiner] makes one.
type Joiner struct {
	Device  inventory.DeviceID
	Tenant  inventory.Tenant   // the rollout's, or one below it
	Zone    string             // IANA name; "" if it is not known
	Content Content            // what it is to get: a set of patches that the plan has, in these very versions
	Claim   int16              // index of the ring of the policy that claims it by its selector, or [ByShare]
	Domains []Domain           // its failure domains, in the order of the policy's budgets; how many devices they have does not matter
	Stratum []string           // what it has under the keys of the policy's strata
	Host    inventory.DeviceID // on which it runs, as it says by the policy's HostLabel; "" for none
}

// Admitted says that these devices have joined the rollout. They are numbered after those that it had.
type Admitted struct{ Devices []Admission }

// An Admission is one device that has joined a rollout.
type Admission struct {
	Device  inventory.DeviceID `json:"device"`
	Tenant  inventory.Tenant   `json:"tenant,omitempty"`
	Zone    string             `json:"zone,omitempty"`
	Content uint32             `json:"content,omitempty"` // number of its content in the plan
	Ring    int                `json:"ring"`              // that it has joined
	Own     int                `json:"own"`               // in which it would have been; the same unless that took nobody any more
	Domains []Domain           `json:"domains,omitempty"`
	Stratum []string           `json:"stratum,omitempty"`
	Host    inventory.DeviceID `json:"host,omitempty"` // on which it runs
}

// joins lets devices join, or refuses them.
func (m *Machine) joins(joiners []Joiner) error {
	if len(joiners) == 0 {
		return nil
	}
	no := func(format string, args ...any) error {
		return fmt.Errorf("rollout: %s: %w: "+format, append([]any{m.plan.Key, ErrJoin}, args...)...)
	}
	switch {
	case m.plan.Policy.Joiners != policy.JoinersAdmitted:
		return no("policy %q leaves joiners to the next rollout", m.plan.Policy.Name)
	case m.stage == StageEnding || m.stage == StageUndoing:
		return no("the rollout is %s", m.stage)
	}
	var errs *multierror.Error
	var e Admitted
	for i := range joiners {
		a, err := m.admission(&joiners[i])
		if err != nil {
			errs = multierror.Append(errs, no("device %s: %w", joiners[i].Device, err))
		}
		e.Devices = append(e.Devices, a)
	}
	if errs != nil && len(errs.Errors) == 1 {
		return errs.Errors[0]
	}
	if errs != nil {
		return errs
	}
	if err := m.plan.admits(e); err != nil {
		return no("%w", err)
	}
	m.emit(e)
	return nil
}

// admission says where a device goes.
func (m *Machine) admission(j *Joiner) (Admission, error) {
	a := Admission{Device: j.Device, Tenant: j.Tenant, Zone: j.Zone, Stratum: j.Stratum, Host: j.Host}
	if j.Device == "" {
		return a, errors.New("it has no ID")
	}
	if j.Claim != ByShare && (j.Claim < 0 || int(j.Claim) >= len(m.plan.Policy.Rings)) {
		return a, fmt.Errorf("ring %d of %d", j.Claim, len(m.plan.Policy.Rings))
	}
	content := slices.IndexFunc(m.plan.Contents, func(c Content) bool { return c.same(&j.Content) })
	if content < 0 {
		return a, fmt.Errorf("what it is to get (%s) is not what some device of the plan gets: it needs a rollout of its own", some(j.Content.IDs()))
	}
	a.Content = uint32(content)
	for _, d := range j.Domains {
		d.Devices = 0
		a.Domains = append(a.Domains, d)
	}
	a.Own = m.plan.ringFor(j)
	if err := m.plan.seatHost(j, &a); err != nil {
		return a, err
	}
	a.Ring = m.ringThatTakes(a.Own)
	if err := m.plan.suits(&a); err != nil {
		return a, err
	}
	if id, held := m.inQuarantine(&m.plan.Contents[content], j); held {
		return a, fmt.Errorf("patch %s is in quarantine", id)
	}
	for _, id := range m.withdrawn {
		if m.plan.Contents[content].has(id) {
			return a, fmt.Errorf("patch %s was withdrawn", id)
		}
	}
	if !m.hasLeave(a.Ring, a.Content) {
		return a, fmt.Errorf("ring %s has no device that gets the same, so nobody was asked whether it may", m.plan.Rings[a.Ring].Name)
	}
	return a, m.hasHours(a.Ring, j.Zone, a.Content)
}

// ringThatTakes returns the first ring from r on that is neither good enough already nor judged, or the last.
func (m *Machine) ringThatTakes(r int) int {
	for ; r < len(m.rings)-1; r++ {
		switch m.rings[r].state {
		case ringWaiting, ringAsking, ringOpen, ringStuck:
			return r
		}
	}
	return r
}

// inQuarantine returns the first patch of c that this rollout has rolled back and keeps from the device.
func (m *Machine) inQuarantine(c *Content, j *Joiner) (patch.ID, bool) {
	for i := range m.quarantine {
		q := &m.quarantine[i]
		if q.Released.IsZero() && (q.Device == "" || q.Device == j.Device) && slices.Contains(c.IDs(), q.Patch) {
			return q.Patch, true
		}
	}
	return "", false
}

// hasLeave says whether whoever had to be asked for the patches of a content was asked, or will be, when the ring opens: rules of the
// policy may want leave for single patches, and the ring asks for those that it has.
func (m *Machine) hasLeave(r int, content uint32) bool {
	asks := slices.ContainsFunc(m.plan.Policy.Rules, func(r policy.Rule) bool { return r.Verdict == policy.RequireApproval })
	ring := &m.plan.Rings[r]
	return !asks || slices.Contains(m.plan.Content[ring.First:ring.First+ring.Count], content)
}

// ringFor returns the ring in which a device would have been when the plan was made.
func (p *Plan) ringFor(j *Joiner) int {
	p = p.Made()
	last := len(p.Rings) - 1
	if j.Claim != ByShare {
		name := p.Policy.Rings[j.Claim].Name
		r := slices.IndexFunc(p.Rings, func(ring PlannedRing) bool { return ring.Name == name || slices.Contains(ring.Merged, name) })
		if r < 0 {
			return last // it was empty, and so were those after it
		}
		return r
	}
	stratum := slices.IndexFunc(p.Strata, func(s []string) bool { return slices.Equal(s, j.Stratum) })
	if stratum < 0 && len(p.Policy.Strata) > 0 {
		return last // nothing like it was tried by anybody
	}
	seed := orderSeed(p.Salt, p.Tenant)
	key := xxh64.Sum(seed, string(j.Device))
	found := last
	for r := range p.Rings {
		ring := &p.Rings[r]
		if !ring.Devices.IsZero() {
			continue
		}
		end, any := p.cut(ring, stratum)
		if !any {
			continue
		}
		found = r
		if c := cmp.Compare(key, xxh64.Sum(seed, string(end))); c < 0 || c == 0 && j.Device <= end {
			return r
		}
	}
	return found
}

// cut returns the device with which a ring ends in the order of the hash, among those of a stratum, and whether it has any.
func (p *Plan) cut(ring *PlannedRing, stratum int) (inventory.DeviceID, bool) {
	for i := ring.First + ring.Count - 1; i >= ring.First; i-- {
		if stratum < 0 || int(p.Stratum[i]) == stratum {
			return p.Devices[i], true
		}
	}
	return "", false
}

// applyAdmitted makes room for devices that have joined.
func (m *Machine) applyAdmitted(e Admitted) {
	m.plan = m.plan.admit(e)
	m.circuits.grow(m.plan)
	for i := range e.Devices {
		a := &e.Devices[i]
		d := int32(len(m.dev))
		m.dev = append(m.dev, device{ring: uint8(a.Ring), op: OpInstall})
		m.absences.join()
		if n := len(m.plan.Policy.Health.Metrics); n > 0 {
			m.vitals, m.firsts = append(m.vitals, make([]vital, n)...), append(m.firsts, 0)
		}
		if m.backups != nil {
			m.backups = append(m.backups, saved{})
		}
		if m.hands != nil {
			m.hands = append(m.hands, byHand{})
		}
		if m.probes != nil {
			m.probes = append(m.probes, probed{})
		}
		if m.looks != nil {
			m.looks = append(m.looks, looked{})
		}
		if m.cures != nil {
			m.cures = append(m.cures, cure{})
		}
		if m.drains != nil {
			m.drains = append(m.drains, drain{must: m.plan.Drains(int(d))})
		}
		m.rings[a.Ring].joined++
		m.unsettled++
		g := m.joinedGroup(d)
		g.push(d)
		m.growHosts(d)
	}
	m.dirty = true
}

// size returns how many devices ring r has.
func (m *Machine) size(r int) int { return m.plan.Rings[r].Count + m.rings[r].joined }

// tellAdmitted says which devices have joined which rings.
func (p *Plan) tellAdmitted(e Admitted) (ms []Message) {
	type way struct{ ring, own int }
	var ways []way
	names := make([][]inventory.DeviceID, 0, 1)
	for i := range e.Devices {
		a := &e.Devices[i]
		at := slices.Index(ways, way{a.Ring, a.Own})
		if at < 0 {
			at = len(ways)
			ways, names = append(ways, way{a.Ring, a.Own}), append(names, nil)
		}
		names[at] = append(names[at], a.Device)
	}
	name := func(r int) string {
		if r < 0 || r >= len(p.Rings) {
			return strconv.Itoa(r)
		}
		return p.Rings[r].Name
	}
	for i, w := range ways {
		devices, own := count(len(names[i]), "device"), ""
		if len(names[i]) <= namesShown {
			devices = join(names[i])
		}
		if w.own != w.ring {
			own = name(w.own)
		}
		ms = append(ms, message("admitted", "devices", devices, "ring", name(w.ring), "own", own))
	}
	return ms
}

// fitsAdmitted checks what applyAdmitted takes for granted.
func (m *Machine) fitsAdmitted(e Admitted) error {
	if err := m.plan.admits(e); err != nil {
		return err
	}
	for i := range e.Devices {
		if err := m.hasHours(e.Devices[i].Ring, e.Devices[i].Zone, e.Devices[i].Content); err != nil {
			return err
		}
	}
	return nil
}

// hasHours says whether it is known when work may begin on a device of ring r in a time zone.
func (m *Machine) hasHours(r int, zone string, content uint32) error {
	work, ahead, clocks := m.windowsOf(r)
	if !clocks || slices.Contains(m.plan.Zones, zone) {
		return nil
	}
	p, passed := &m.plan.Policy, m.plan.Contents[content].Passes
	_, err := p.Schedule(work, zone, passed...)
	if err == nil {
		_, err = p.RestartSchedule(zone, passed...) // and with it in its quiet times
	}
	if err == nil && len(ahead) > 0 {
		_, err = p.DownloadSchedule(policy.Download{Windows: ahead}, zone, passed...)
	}
	return err
}

// joinedGroup returns the group of a device that has joined, made if its ring has none like it yet.
func (m *Machine) joinedGroup(d int32) *group {
	r := int(m.dev[d].ring)
	ring := &m.rings[r]
	s := m.slot(int(d), m.slots(r))
	at := ring.groups[0]
	for at < ring.groups[1] && m.groups[at].slot < s {
		at++
	}
	if at < ring.groups[1] && m.groups[at].slot == s {
		return &m.groups[at]
	}
	none := func() map[slot]policy.Schedule { return make(map[slot]policy.Schedule) }
	g, _ := m.newGroup(r, s, none(), none(), none()) // fitsAdmitted and admission have seen that there is one
	if ring.bypass != (policy.Bypass{}) {
		g.lift(ring.bypass)
	}
	m.groups = slices.Insert(m.groups, at, g)
	ring.groups[1]++
	for r++; r < len(m.rings); r++ {
		m.rings[r].groups[0]++
		m.rings[r].groups[1]++
	}
	return &m.groups[at]
}
