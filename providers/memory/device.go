package memory

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

type deviceKey struct {
	tenant inventory.Tenant
	id     inventory.DeviceID
}

// A device is what it was when it was added, and how it differs from that now and differed at its last scan.
type device struct {
	base    inventory.Device // never changed; its Software may be shared with thousands of others
	now     state
	seen    state
	scanned time.Time // the last scan; zero before the first
	boots   int
	undo    []undo // what installations have replaced, oldest first
	broken  []patch.ID
	queue   []*task   // what is to be done, one after the other; the first may have begun
	free    time.Time // when the last task ended
	removed bool
	backup  rollout.Backup // the last one
	backups int
	mended  []patch.Fault // what remedies have put right
	drained bool          // out of service
}

// A state is how a device differs from its base. Its slices are never written to, so that states can be kept and shared.
type state struct {
	edits   []edit     // each package once
	missing []patch.ID // what the device says that it misses
	have    []patch.ID // patches without packages that were installed
	boot    string
	pending patch.Tri
}

// An edit says that the package at an index of the base's software has another version than it has there.
type edit struct {
	index   int
	version version.Version
}

// An undo is what the installation of a patch has replaced.
type undo struct {
	patch    patch.ID
	versions []edit // as they were before
	listed   bool   // it was among the missing
}

func newDevice(d inventory.Device, now time.Time) *device {
	if len(d.Coverage) == 0 {
		d.Coverage = nil
		for i := range d.Software {
			m := d.Software[i].Manager
			if !slices.ContainsFunc(d.Coverage, func(c inventory.Coverage) bool { return c.Manager == m }) {
				d.Coverage = append(d.Coverage, inventory.Coverage{Manager: m, Status: inventory.Complete, At: now})
			}
		}
	}
	if d.LastSeen.IsZero() {
		d.LastSeen = now
	}
	n := &device{base: d, boots: 1}
	n.now = state{missing: d.Missing, boot: d.BootID, pending: d.PendingReboot}
	if n.now.boot == "" {
		n.now.boot = "boot-1"
	}
	if n.now.pending == patch.Unknown {
		n.now.pending = patch.No
	}
	n.seen = n.now
	return n
}

func (d *device) key() deviceKey { return deviceKey{d.base.Tenant, d.base.ID} }

// version returns the version of the package at index i.
func (s *state) version(d *device, i int) version.Version {
	for _, e := range s.edits {
		if e.index == i {
			return e.version
		}
	}
	return d.base.Software[i].Version
}

// with returns edits with the package at index i at version v.
func with(edits []edit, i int, v version.Version) []edit {
	edits = slices.Clone(edits)
	for j := range edits {
		if edits[j].index == i {
			edits[j].version = v
			return edits
		}
	}
	return append(edits, edit{i, v})
}

func without(ids []patch.ID, id patch.ID) []patch.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(o patch.ID) bool { return o == id })
}

// software returns the software of state s; it is shared if nothing has changed.
func (d *device) software(s state) []inventory.Software {
	if len(s.edits) == 0 {
		return d.base.Software
	}
	all := slices.Clone(d.base.Software)
	for _, e := range s.edits {
		all[e.index].Version = e.version
	}
	return all
}

// view returns the device in state s.
func (d *device) view(s state) inventory.Device {
	v := d.base
	v.Software, v.Missing, v.BootID, v.PendingReboot = d.software(s), s.missing, s.boot, s.pending
	v.Coverage = slices.Clone(v.Coverage)
	for i := range v.Coverage {
		if c := &v.Coverage[i]; d.scanned.After(c.At) {
			c.At = d.scanned
		}
	}
	if d.scanned.After(v.LastSeen) {
		v.LastSeen = d.scanned
	}
	return v
}

// scan looks at the device.
func (d *device) scan(now time.Time) inventory.Scan {
	d.seen, d.scanned = d.now, now
	v := d.view(d.now)
	for _, c := range v.Coverage {
		if c.Status != inventory.Complete && c.Status != inventory.Partial {
			v.Software = slices.DeleteFunc(slices.Clone(v.Software), func(s inventory.Software) bool { return s.Manager == c.Manager })
		}
	}
	return inventory.Scan{Tenant: v.Tenant, Device: v.ID, At: now, Coverage: v.Coverage, Software: v.Software, Missing: v.Missing,
		BootID: v.BootID, PendingReboot: v.PendingReboot}
}

// restarting says whether the device is down at the moment.
func (d *device) restarting() bool {
	return len(d.queue) > 0 && d.queue[0].op == rollout.OpReboot && d.queue[0].report.Phase == rollout.PhaseRunning
}

// do carries a task out, at its end, and returns its last report.
func (d *device) do(op rollout.Op, t *rollout.Task, b Behaviour, at time.Time) rollout.Report {
	r := rollout.Report{Phase: rollout.PhaseSucceeded}
	switch {
	case b.Fault != patch.NoFault:
		r = rollout.Report{Phase: rollout.PhaseFailed, Fault: b.Fault, Message: "told to fail"}
	case b.Lie:
	case op == rollout.OpInstall && b.Damage != patch.NoFault && !slices.Contains(d.mended, b.Damage):
		r = failed(b.Damage, "told to be damaged")
	case op == rollout.OpRemedy:
		r = d.mend(t.Remedy)
	case op == rollout.OpDrain, op == rollout.OpUncordon:
		d.drained = op == rollout.OpDrain
	case op == rollout.OpInstall:
		r = d.install(t.Content, b)
	case op == rollout.OpReboot:
		d.reboot()
	case op == rollout.OpVerify:
		r = d.verify(t.Content, t.Absent)
	case op == rollout.OpRollback:
		r = d.rollback(t.Content)
	case op == rollout.OpPrecheck, op == rollout.OpProbe:
		for i := range t.Probes {
			r.Probes = append(r.Probes, d.probe(&t.Probes[i], b))
		}
	case op == rollout.OpBackup:
		r.Backup = d.keep(t, at)
	}
	r.BootID, r.Reboot = d.now.boot, d.now.pending
	if b.Message != "" {
		r.Message = b.Message
	}
	return r
}

// mend puts d right.
func (d *device) mend(of patch.Fault) rollout.Report {
	if of != patch.Corrupt && of != patch.DiskFull {
		return failed(patch.Permanent, "there is no remedy for %s", of)
	}
	d.mended = append(d.mended, of)
	return rollout.Report{Phase: rollout.PhaseSucceeded}
}

// probe looks for one thing.
func (d *device) probe(p *policy.Probe, b Behaviour) rollout.ProbeResult {
	r := rollout.ProbeResult{Name: p.Name, Up: patch.Yes}
	switch {
	case slices.Contains(b.Down, p.Of):
		r.Up, r.Message = patch.No, "told to be down"
	case (p.Check == policy.ProbeCustom || p.Check == policy.ProbeRegistry) && !slices.Contains(b.Up, p.Of):
		r.Up, r.Message = patch.Unknown, "no such check"
	case p.Check == policy.ProbeService && len(d.broken) > 0:
		r.Up, r.Message = patch.No, fmt.Sprintf("%s is broken", d.broken[0])
	case p.Check == policy.ProbeVersion:
		return rollout.CheckVersion(*p, d.software(d.now))
	}
	return r
}

// keep names a backup of d: the last one, if that is new enough for t.
func (d *device) keep(t *rollout.Task, at time.Time) rollout.Backup {
	if d.backup.ID == "" || d.backup.At.Before(t.Since) {
		d.backups++
		d.backup = rollout.Backup{ID: "backup-" + strconv.Itoa(d.backups), At: at}
	}
	return d.backup
}

func (d *device) reboot() {
	d.boots++
	d.now.boot, d.now.pending = "boot-"+strconv.Itoa(d.boots), patch.No
}

func failed(f patch.Fault, format string, args ...any) rollout.Report {
	return rollout.Report{Phase: rollout.PhaseFailed, Fault: f, Message: fmt.Sprintf(format, args...)}
}

// install brings all of c to the device, or nothing of it. Patches for which there is nothing to do are passed over; if
// that is so for all of them, the report says why.
func (d *device) install(c rollout.Content, b Behaviour) rollout.Report {
	next, undos, idle := d.now, d.undo, patch.NoFault
	broken, restart := d.broken, b.NeedsReboot
	for i := range c.Patches {
		p := &c.Patches[i]
		before, fault, err := d.apply(&next, p)
		if err != nil {
			return rollout.Failure(err)
		}
		if fault != patch.NoFault {
			if idle == patch.NoFault || idle == patch.NotApplicable || fault == patch.AlreadyInstalled {
				idle = fault
			}
			continue
		}
		undos = append(undos[:len(undos):len(undos)], before)
		broken = without(broken, p.ID)
		restart = restart || p.Reboot == patch.RebootAlways
		if b.Breaks {
			broken = append(broken, p.ID)
		}
	}
	if len(undos) == len(d.undo) {
		if idle == patch.NoFault {
			idle = patch.NotApplicable // an empty content
		}
		return failed(idle, "nothing to install: %s", idle)
	}
	d.now, d.undo, d.broken = next, undos, broken
	if restart {
		d.now.pending = patch.Yes
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}
}

// apply puts p into s and returns what it replaced. A fault says why there was nothing to do.
func (d *device) apply(s *state, p *rollout.Pinned) (undo, patch.Fault, error) {
	before := undo{patch: p.ID, listed: slices.Contains(s.missing, p.ID)}
	if len(p.Packages) == 0 {
		switch {
		case slices.Contains(s.have, p.ID):
			return before, patch.AlreadyInstalled, nil
		case !before.listed:
			return before, patch.NotApplicable, nil
		}
		s.have = append(s.have[:len(s.have):len(s.have)], p.ID)
		s.missing = without(s.missing, p.ID)
		return before, patch.NoFault, nil
	}
	idle := patch.NotApplicable
	for i, k := range d.packages(p) {
		installed := s.version(d, i)
		if installed == k.Fixed {
			idle = patch.AlreadyInstalled
			continue
		}
		order, err := version.Compare(installed, k.Fixed)
		if err != nil {
			return before, patch.NoFault, fmt.Errorf("memory: device %q: package %s: %w: %w", d.base.ID, k.Name, err, patch.ErrPermanent)
		}
		if order > 0 {
			if idle == patch.NotApplicable {
				idle = patch.Superseded
			}
			continue
		}
		if d.base.Software[i].Held {
			return before, patch.NoFault, fmt.Errorf("memory: device %q: package %s is held: %w", d.base.ID, k.Name, patch.ErrNeedsUser)
		}
		before.versions = append(before.versions, edit{i, installed})
		s.edits = with(s.edits, i, k.Fixed)
	}
	if len(before.versions) == 0 {
		return before, idle, nil
	}
	s.missing = without(s.missing, p.ID)
	return before, patch.NoFault, nil
}

// packages yields what p would replace on the device: indices of the base's software, and the packages for them.
func (d *device) packages(p *rollout.Pinned) iter.Seq2[int, *patch.Package] {
	return func(yield func(int, *patch.Package) bool) {
		for i := range d.base.Software {
			s := &d.base.Software[i]
			for j := range p.Packages {
				k := &p.Packages[j]
				if k.Name == s.Name && k.Ecosystem == s.Ecosystem && d.archFits(k.Arch, s.Arch) && !yield(i, k) {
					return
				}
			}
		}
	}
}

// archFits is the rule of inventory.Assess.
func (d *device) archFits(offered, installed string) bool {
	free := func(arch string) bool { return arch == "" || arch == "all" || arch == "noarch" || arch == "any" }
	native := d.base.Platform.Arch
	return free(offered) || offered == installed || free(installed) && (native == "" || offered == native)
}

// there says how much of p is on the device: all of it, none of it, and if neither or none, what is not.
func (d *device) there(p *rollout.Pinned) (all, none bool, missing string, err error) {
	if len(p.Packages) == 0 {
		has := slices.Contains(d.now.have, p.ID)
		return has, !has, fmt.Sprintf("%s is not installed", p.ID), nil
	}
	found, fixed := 0, 0
	for i, k := range d.packages(p) {
		found++
		installed := d.now.version(d, i)
		order, err := version.Compare(installed, k.Fixed)
		if err != nil {
			return false, false, "", fmt.Errorf("memory: device %q: package %s: %w: %w", d.base.ID, k.Name, err, patch.ErrPermanent)
		}
		if order >= 0 {
			fixed++
		} else if missing == "" {
			missing = fmt.Sprintf("%s is at %s, below %s", k.Name, installed, k.Fixed)
		}
	}
	if found == 0 {
		missing = fmt.Sprintf("no package of %s is installed", p.ID)
	}
	return found > 0 && fixed == found, fixed == 0, missing, nil
}

// verify looks whether all of c is there and works, or whether all of it is gone.
func (d *device) verify(c rollout.Content, absent bool) rollout.Report {
	for i := range c.Patches {
		p := &c.Patches[i]
		all, none, missing, err := d.there(p)
		switch {
		case err != nil:
			return rollout.Failure(err)
		case absent && !none:
			return failed(patch.NoFault, "%s is still there", p.ID)
		case !absent && !all:
			return failed(patch.NoFault, "%s", missing)
		case !absent && slices.Contains(d.broken, p.ID):
			return failed(patch.Permanent, "%s is installed and does not work", p.ID)
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}
}

// rollback puts back what the patches of c have replaced, last patch first, all of it or nothing.
func (d *device) rollback(c rollout.Content) rollout.Report {
	before, undos, broken := d.now, d.undo, d.broken
	for i := len(c.Patches) - 1; i >= 0; i-- {
		p := &c.Patches[i]
		_, none, _, err := d.there(p)
		d.broken = without(d.broken, p.ID)
		if err == nil && none {
			continue
		}
		at := -1
		for j := range d.undo {
			if d.undo[j].patch == p.ID {
				at = j
			}
		}
		if err == nil && at < 0 {
			err = fmt.Errorf("memory: device %q: what was there before %s is not known: %w", d.base.ID, p.ID, patch.ErrPermanent)
		}
		if err != nil {
			d.now, d.undo, d.broken = before, undos, broken
			return rollout.Failure(err)
		}
		d.restore(d.undo[at])
		d.undo = slices.Delete(slices.Clone(d.undo), at, at+1)
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}
}

func (d *device) restore(u undo) {
	for _, e := range u.versions {
		d.now.edits = with(d.now.edits, e.index, e.version)
	}
	if u.listed {
		d.now.missing = append(without(d.now.missing, u.patch), u.patch)
	}
	d.now.have = without(d.now.have, u.patch)
}
