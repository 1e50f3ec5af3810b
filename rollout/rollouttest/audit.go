package rollouttest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// An Auditor reads the events of one rollout and checks what must hold of them whatever happens. It keeps its own books, so
// that it does not have to believe the machine.
type Auditor struct {
	plan    *rollout.Plan
	retry   policy.Retry
	devices []audited
	passed  []bool
	opened  []bool
	since   []time.Time // by ring: when it was opened
	stage   rollout.Stage
	windows []map[clock]policy.Schedule // by ring
	resets  map[clock]policy.Schedule   // when devices are restarted
	asked   []policy.Request            // by ring: the last time
	lifted  []policy.Bypass             // by ring: what its devices need not wait for
	tasks   int
	words   map[string]map[string]rollout.Word // by device, then by person: the last
	gauges  []gauge                            // by device, then by metric; nil before the first sample
	gone    []patch.ID                         // withdrawn
	rates   rates
	undo    undoBooks
	control controlBooks
	raised  raisedBooks

	breakers breakers
	shares   int       // restarts that were another rollout's
	yields   int       // devices that were let go before their restart
	idle     time.Time // since when the rollout is not active; zero if it is
}

type audited struct {
	running   bool
	saving    bool      // the last thing that changes it was a backup
	ran       bool      // its task has said that it runs
	lingers   bool      // its last rollback takes effect by a restart only
	unended   []loose   // tasks that have ended for the rollout, and maybe not on the device
	unendedAt time.Time // when that was, the last time
	op        rollout.Op
	seq       uint32
	outcome   rollout.Outcome
	undone    bool
	taken     bool // rolled back once
	attempts  int
	dropped   bool // for something newer
	acked     bool // somebody knows that it was left disrupted
	again     bool // tried again by hand, and it is not known what becomes of that
	byHand    int  // installations begun since
	handed    int  // and when it was tried again before
	retried   bool // ever
	reboots   int
	yields    time.Time // let go until then before its restart
	begun     time.Time // when its last session of an installation was
	saved     bool      // by a backup for the installation that is next
	offline   time.Time // since when it is unreachable
	lapsed    bool      // and was for longer than the grace
	away      time.Time // since when it was, before it was seen again
	excused   bool      // from waiting for a window
	urgent    bool      // more is known of what it is to get
	worse     bool      // than before, by a metric
	fresh     bool      // has succeeded, and is in no comparison yet
	backup    time.Time // the instant that the proved one holds
	waived    bool      // it needs none
	issued    time.Time // the last task
	unsure    bool      // an attempt may have changed it
	touched   bool      // an installation was begun
	restart   time.Time // not before, as was announced; zero if nothing was
	deadline  time.Time // for putting it off
	deferred  int
	left      rollout.Leaving
	watched   *watched  // beside others, or others beside it
	anew      time.Time // when it was made anew, the last time
	installed bool      // an installation was begun, since it was made anew if it was
	checked   bool      // looked at before the installation that is next
	leftOut   bool      // it was not well before
	forgiven  uint32    // probes that were down before
	found     uint32    // probes that the last look did not find up
	since     time.Time // when it was first looked at after its verification
	fit       bool      // the policy's probes, if any, let it succeed

	before restartBooks
	remedy remedyBooks
	absent awayBooks
	boot   string // the last one that it has reported

	service serviceBooks
	goal    *rollout.PuttingBack // it is back, and to be settled so
	told    bool                 // its task has ended, and what follows was not decided yet
	answer  rollout.Report       // how
}

// A clock is what decides when work may begin on a device of a ring: its zone, and the freezes that its content passes.
type clock struct{ zone, passes string }

// clock returns that of device i.
func (a *Auditor) clock(i int) clock {
	c := clock{"UTC", strings.Join(a.plan.Contents[a.plan.Content[i]].Passes, "\n")}
	if z := int(a.plan.Zone[i]); z < len(a.plan.Zones) {
		c.zone = a.plan.Zones[z]
	}
	return c
}

// NewAuditor makes the auditor of a plan.
func NewAuditor(p *rollout.Plan) (*Auditor, error) {
	a := &Auditor{plan: p, retry: p.Policy.Retry.WithDefaults(), devices: make([]audited, len(p.Devices)),
		passed: make([]bool, len(p.Rings)), opened: make([]bool, len(p.Rings)), since: make([]time.Time, len(p.Rings)),
		asked: make([]policy.Request, len(p.Rings)), lifted: make([]policy.Bypass, len(p.Rings))}
	a.rates, a.breakers = newRates(p), make(breakers)
	a.resets = make(map[clock]policy.Schedule)
	for range p.Rings {
		a.windows = append(a.windows, make(map[clock]policy.Schedule))
	}
	for i := range p.Devices {
		if err := a.schedule(i); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// schedule works out when work may begin on device i, and when it may be restarted, unless that is known.
func (a *Auditor) schedule(i int) error {
	p, c, r := a.plan, a.clock(i), a.plan.RingOf(i)
	passed := p.Contents[p.Content[i]].Passes
	var err error
	if _, known := a.resets[c]; !known {
		if a.resets[c], err = p.Policy.RestartSchedule(c.zone, passed...); err != nil {
			return err
		}
	}
	if _, known := a.windows[r][c]; !known {
		windows := p.Rings[r].Windows
		if len(windows) == 0 {
			windows = p.Policy.Windows
		}
		a.windows[r][c], err = p.Policy.Schedule(windows, c.zone, passed...)
	}
	return err
}

// admitted takes devices in that have joined, and checks that they may, and that each has come into the ring that takes it.
func (a *Auditor) admitted(e rollout.Admitted) error {
	if a.plan.Policy.Joiners != policy.JoinersAdmitted {
		return errors.New("a device has joined, and the policy ignores those")
	}
	if a.stage.Final() || a.stage == rollout.StageEnding || a.stage == rollout.StageUndoing {
		return fmt.Errorf("a device has joined a rollout that is %s", a.stage)
	}
	p, err := a.plan.Admit(e)
	if err != nil {
		return err
	}
	for _, d := range e.Devices {
		if d.Ring < len(p.Rings)-1 && a.passed[d.Ring] {
			return fmt.Errorf("device %s has joined ring %s, which has passed", d.Device, p.Rings[d.Ring].Name)
		}
		for r := d.Own; r < d.Ring; r++ {
			if !a.opened[r] {
				return fmt.Errorf("device %s has not joined ring %s, which is not open yet", d.Device, p.Rings[r].Name)
			}
		}
		if i, found := p.Find(d.Device); !found || p.Devices[i] != d.Device || p.RingOf(i) != d.Ring || p.TenantOf(i) != d.Tenant {
			return fmt.Errorf("device %s has joined, and is not to be found", d.Device)
		}
	}
	first := len(a.plan.Devices)
	a.plan = p
	a.devices = append(a.devices, make([]audited, len(e.Devices))...)
	for i := first; i < len(p.Devices); i++ {
		if err := a.schedule(i); err != nil {
			return err
		}
	}
	return nil
}

// Tasks returns how many tasks were begun.
func (a *Auditor) Tasks() int { return a.tasks }

// Batch checks what one step has decided.
func (a *Auditor) Batch(b rollout.Batch) error {
	for i, e := range b.Events {
		if err := a.event(b.At, e); err != nil {
			return fmt.Errorf("event %d, %T %+v: %w", i+1, e, e, err)
		}
	}
	return a.tripped(b)
}

func (a *Auditor) event(at time.Time, e rollout.Event) error {
	a.tries(at, e)
	a.away(at, e)
	switch e := e.(type) {
	case rollout.Issued:
		for _, d := range e.Devices {
			if err := a.issued(at, d, &e); err != nil {
				return fmt.Errorf("device %s: %w", a.plan.Devices[d], err)
			}
		}
	case rollout.Admitted:
		return a.admitted(e)
	case rollout.Departed:
		return a.departed(at, &e)
	case rollout.Reopened:
		return a.reopened(at, &e)
	case rollout.Retried:
		return a.retriedByHand(&e)
	case rollout.StopAsked:
		return a.each(e.Devices, func(d *audited) error {
			if d.left == rollout.Moved {
				return errors.New("asked to stop, and it is another tenant's")
			}
			return nil
		})
	case rollout.Answered:
		for i := range e.Reports {
			r := &e.Reports[i]
			d := &a.devices[r.Device]
			if !d.running || d.seq != r.Seq {
				return fmt.Errorf("device %s: a report about task %d was accepted; running %v, task %d",
					a.plan.Devices[r.Device], r.Seq, d.running, d.seq)
			}
			d.answered(r, at)
			d.lookedAt(r)
			d.fell(r)
			d.drained(r)
			d.running = !r.Phase.Last()
			d.found = a.found(r)
			d.boot = cmp.Or(r.BootID, d.boot)
			if r.Phase != rollout.PhaseFailed || r.Fault != patch.Unreachable {
				d.offline, d.lapsed = time.Time{}, false
			}
		}
	case rollout.Lapsed:
		return a.each(e.Devices, func(d *audited) error {
			if d.lapsed = true; !d.undone {
				d.free()
			}
			return nil
		})
	case rollout.Draining:
		return a.draining(&e)
	case rollout.PuttingBack:
		return a.puttingBack(&e)
	case rollout.PutBack:
		return a.putBack(&e)
	case rollout.Late:
		for i := range e.Reports {
			if r := &e.Reports[i]; r.Device >= 0 && int(r.Device) < len(a.devices) && r.Ends() {
				d := &a.devices[r.Device]
				if d.left == rollout.Moved {
					return fmt.Errorf("device %s: a report was kept, and it is another tenant's", a.plan.Devices[r.Device])
				}
				d.unended = slices.DeleteFunc(d.unended, func(u loose) bool { return u.seq == r.Seq })
				d.absent.silent = d.absent.silent && len(d.unended) > 0
			}
		}
	case rollout.RestartShared:
		return a.shared(&e)
	case rollout.RestartYielded:
		return a.yielded(at, &e)
	case rollout.SupersededBy:
		return a.superseded(&e)
	case rollout.Acknowledged:
		return a.acknowledged(&e)
	case rollout.Escalated:
		return a.each(e.Devices, func(d *audited) error { d.urgent = true; return nil })
	case rollout.Withdrawn:
		a.gone = append(a.gone, e.Patch)
		a.unwatch(e.Devices)
	case rollout.TimedOut:
		return a.each(e.Devices, func(d *audited) error {
			if !d.running {
				return errors.New("timed out, and is at nothing")
			}
			d.leftRunning(at)
			d.quiet()
			d.running = false
			return nil
		})
	case rollout.Remedied:
		return a.each(e.Devices, func(d *audited) error { return d.remedied(&e) })
	case rollout.Looked:
		return a.each(e.Devices, func(d *audited) error { return d.looked(&e) })
	case rollout.Postponed:
		if prepares(e.Op) && e.Fault == patch.Unreachable {
			for _, d := range e.Devices {
				a.rates.giveBack(a.plan, d, a.devices[d].begun)
			}
		}
		return a.each(e.Devices, func(d *audited) error {
			if err := d.laterService(&e); err != nil || e.Op == rollout.OpUncordon {
				return err
			}
			d.postponed(&e)
			d.retriedLater(&e)
			if e.Op == rollout.OpProbe && e.Fault == patch.Unreachable {
				d.since = time.Time{}
			}
			if e.Op == rollout.OpInstall && !e.Spent && d.op == rollout.OpInstall {
				*d.counter()--
			}
			if d.running || d.outcome != rollout.Unsettled {
				return fmt.Errorf("postponed; running %v, %s", d.running, d.outcome)
			}
			d.unsure = d.unsure || e.Op == rollout.OpInstall && e.Fault != patch.Busy && e.Fault != patch.NoFault
			if e.Fault == patch.Unreachable && d.offline.IsZero() {
				d.offline = at
			}
			return nil
		})
	case rollout.Returned:
		return a.each(e.Devices, func(d *audited) error {
			if d.offline.IsZero() {
				return errors.New("seen again, and was not away")
			}
			d.away, d.offline, d.lapsed = d.offline, time.Time{}, false
			return nil
		})
	case rollout.Probed:
		for n, i := range e.Devices {
			if err := a.probed(at, &a.devices[i], &e, e.Down[n]); err != nil {
				return fmt.Errorf("device %s: %w", a.plan.Devices[i], err)
			}
		}
	case rollout.BackedUp:
		for n, i := range e.Devices {
			if err := a.backedUp(at, &a.devices[i], &e, e.Backups[n]); err != nil {
				return fmt.Errorf("device %s: %w", a.plan.Devices[i], err)
			}
		}
	case rollout.WindowMissed:
		for _, i := range e.Devices {
			d, s := &a.devices[i], a.work(int(i))
			if o, ok := s.Back(e.Then, d.away, at); e.Then != a.plan.Policy.Missed || e.Then == policy.MissedWaits || s.Open(at) || !s.Closed(d.away, at) ||
				ok == (e.Then == policy.MissedSkips) {
				return fmt.Errorf("device %s: away since %s, and back when work may begin in %+v", a.plan.Devices[i], d.away, o)
			}
			d.excused = e.Then == policy.MissedRuns
		}
	case rollout.DeviceSettled:
		return a.each(e.Devices, func(d *audited) error {
			if d.running || d.outcome != rollout.Unsettled {
				return fmt.Errorf("settled; running %v, %s", d.running, d.outcome)
			}
			if err := cmp.Or(d.leaves(at, e.Outcome), a.leavesAway(at, d, e.Outcome), d.triedAgain(e.Outcome), d.settledService(e.Outcome)); err != nil {
				return err
			}
			if d.dropped && e.Outcome != rollout.Superseded {
				return fmt.Errorf("settled as %s, and it was dropped for something newer", e.Outcome)
			}
			if e.Outcome == rollout.Skipped && d.attempts+d.byHand > 0 {
				return fmt.Errorf("left out after %d attempts, so that it is in no denominator", d.attempts+d.byHand)
			}
			if e.Outcome == rollout.RolledBack && !d.undone {
				return errors.New("rolled back, which nobody wanted")
			}
			a.undo.settled(d.undone, e.Outcome)
			if e.Outcome == rollout.Succeeded && len(a.plan.Policy.Health.Probes.List) > 0 && !d.fit {
				return errors.New("succeeded, and its probes were not found up")
			}
			d.outcome, d.undone, d.lapsed, d.offline, d.absent.silent = e.Outcome, false, false, time.Time{}, false
			d.fresh = e.Outcome == rollout.Succeeded
			d.taken = d.taken || e.Outcome == rollout.RolledBack
			return nil
		})
	case rollout.Raised:
		return a.raises(&e)
	case rollout.Cleared:
		return a.clears(&e)
	case rollout.BreakerTripped, rollout.BreakerTried, rollout.BreakerClosed:
		return a.tripping(at, e)
	case rollout.UndoHalted:
		return a.undo.halt(a, &e)
	case rollout.UndoBegan:
		a.undo.began(a, &e)
		return a.each(e.Devices, func(d *audited) error {
			if d.seq == 0 || d.left != rollout.LeavingUnknown {
				return fmt.Errorf("rolled back, and nothing was begun there, or it is %s", d.left)
			}
			d.undone, d.outcome, d.again = true, rollout.Unsettled, false
			if d.service.drains = 0; !d.running {
				d.service.back = nil
			}
			return nil
		})
	case rollout.RingAsked:
		a.asked[e.Ring] = e.Request
	case rollout.RingDecided:
		return a.decided(&e)
	case rollout.RingOpened:
		a.opened[e.Ring], a.since[e.Ring] = true, at
		if slices.Contains(a.passed[:e.Ring], false) {
			return errors.New("a ring before it has not passed")
		}
	case rollout.Judged:
		a.passed[e.Ring] = e.Result == rollout.Pass
		if c := e.Counts; e.Result == rollout.Pass && e.By == "" && (c.Denominator == 0 || c.Sample == 0) && (e.Ring < len(a.plan.Rings)-1 || c.NoNeed == 0 || c.NoNeed+c.Left-c.Away < c.Devices) {
			return errors.New("a gate passed on nothing")
		}
		return cmp.Or(a.well(&e), a.judgedBeside(&e))
	case rollout.Paired:
		return a.paired(at, &e)
	case rollout.ControlWorse:
		return a.controlWorse(at, &e)
	case rollout.Compared:
		return a.compared(at, &e)
	case rollout.RestartAnnounced:
		return a.announced(at, &e)
	case rollout.RestartDeferred:
		return a.deferred(at, &e)
	case rollout.Voiced:
		return a.voiced(&e)
	case rollout.Measured:
		return a.measured(&e)
	case rollout.Regressed:
		a.regressedBeside(at, &e)
		return a.regressed(&e)
	case rollout.Staged:
		if a.stage.Final() {
			return fmt.Errorf("the rollout is %s already", a.stage)
		}
		a.undo.staged(&e)
		if a.stage = e.Stage; a.stage.Final() {
			return a.services()
		}
	}
	return nil
}

// decided notes what an approval lifts, and checks that the plan lets it.
func (a *Auditor) decided(e *rollout.RingDecided) error {
	d := &e.Decision
	if e.Refused != "" || d.Ruling != policy.Approved || d.Emergency == nil || len(d.Emergency.Bypassed) == 0 {
		return nil
	}
	b, needs := d.Emergency.Bypass, a.plan.Rings[e.Ring].Needs
	for _, n := range needs {
		if b.Windows && !n.Bypass.Windows || b.Freezes && !n.Bypass.Freezes {
			return errors.New("bypasses what may not be bypassed")
		}
	}
	if len(needs) == 0 && b != (policy.Bypass{}) {
		return errors.New("bypasses what may not be bypassed")
	}
	for r := range a.lifted {
		if r == e.Ring || a.asked[e.Ring].Whole {
			a.lifted[r].Windows = a.lifted[r].Windows || b.Windows
			a.lifted[r].Freezes = a.lifted[r].Freezes || b.Freezes
		}
	}
	return nil
}

func (a *Auditor) each(ds []int32, check func(*audited) error) error {
	for _, d := range ds {
		if err := check(&a.devices[d]); err != nil {
			return fmt.Errorf("device %s: %w", a.plan.Devices[d], err)
		}
	}
	return nil
}

// issued checks that a task may be begun.
// withdrawn says whether device i was to get a patch that goes to nobody any more.
func (a *Auditor) withdrawn(i int) bool {
	return slices.ContainsFunc(a.plan.Contents[a.plan.Content[i]].Patches, func(p rollout.Pinned) bool { return slices.Contains(a.gone, p.ID) })
}

func (a *Auditor) issued(at time.Time, i int32, e *rollout.Issued) error {
	d := &a.devices[i]
	if d.running || d.outcome != rollout.Unsettled {
		return fmt.Errorf("begun twice: running %v, %s", d.running, d.outcome)
	}
	if d.left != rollout.LeavingUnknown {
		return fmt.Errorf("begun, and it is %s", d.left)
	}
	if d.watched != nil && d.watched.control {
		return errors.New("begun, and it is to get nothing while others are compared with it")
	}
	if e.Op == rollout.OpReboot && !e.Absent && a.stage != rollout.StageActive {
		return fmt.Errorf("restarted while the rollout is %s", a.stage)
	}
	if len(d.unended) > 0 && (e.Op == rollout.OpRollback || e.Op == rollout.OpBackup) {
		return fmt.Errorf("task %d may still be running there", d.unended[0].seq)
	}
	if e.Op == rollout.OpProbe && (d.op != rollout.OpProbe || d.since.IsZero()) {
		d.since = at
	}
	d.found = a.found(&rollout.TaskReport{}) // until it has been looked at
	if e.Op == rollout.OpInstall || e.Op == rollout.OpProbe {
		d.fit = false
	}
	if err := cmp.Or(a.startsBefore(at, i, e), a.startsRemedy(at, i, e), a.startsDrain(at, i, e)); err != nil {
		return err
	}
	first := !d.installed
	d.installed = d.installed || e.Op == rollout.OpInstall
	d.running, d.op, d.issued, d.ran = true, e.Op, at, false
	d.acked = d.acked && e.Op == rollout.OpDownload
	d.saving = e.Op == rollout.OpBackup || d.saving && (e.Op == rollout.OpVerify || e.Op == rollout.OpPrecheck || e.Op == rollout.OpLook)
	if d.seq == 0 {
		if err := a.mayHost(int(i)); err != nil {
			return err
		}
	}
	d.seq++
	a.tasks++
	d.touched = d.touched || e.Op == rollout.OpInstall
	r := a.plan.RingOf(int(i))
	if e.Op != rollout.OpDownload {
		if err := a.spread(at, int(i)); err != nil {
			return err
		}
	}
	switch e.Op {
	case rollout.OpReboot:
		d.reboots++
		switch {
		case e.Absent:
			return a.undo.restarts(a, at, int(i))
		case !a.restarts(int(i)).Open(at) || at.Before(d.yields):
			return errors.New("restarted outside its window, or when it was let go for another's restart")
		case !e.StartBy.IsZero() && !at.Before(e.StartBy):
			return errors.New("issued when it is too late to begin")
		case a.plan.Policy.Reboot.Deferrals.Max > 0 && (d.restart.IsZero() || at.Before(d.restart)):
			return errors.New("restarted without an announcement, or before its time")
		}
	case rollout.OpDownload:
		if a.withdrawn(int(i)) {
			return errors.New("downloads what is withdrawn")
		}
		ahead := a.plan.Rings[r].Download
		if len(ahead.Windows) == 0 {
			ahead = a.plan.Policy.Download
		}
		s, err := a.plan.Policy.DownloadSchedule(ahead, a.clock(int(i)).zone, a.plan.Contents[a.plan.Content[i]].Passes...)
		switch {
		case err != nil || len(ahead.Windows) == 0 || !s.Bypassing(a.lifted[r]).Open(at):
			return errors.New("downloads outside its window")
		case d.seq > 1 || !a.opened[r] || a.stage != rollout.StageActive || a.work(int(i)).Open(at):
			return errors.New("downloads ahead, and it is not its time")
		}
	case rollout.OpRollback:
		if !d.undone {
			return errors.New("rolled back, which nobody wanted")
		}
		d.restart = time.Time{}
		return a.undo.begins(a, at, int(i))
	case rollout.OpPrecheck:
		if s := a.work(int(i)); !first || d.saved && !d.before.began || !s.Open(at) && !(d.excused && s.Freezes().Open(at)) || a.stage != rollout.StageActive || !a.opened[r] {
			return errors.New("looked at before its installation, and it is not its time")
		}
		began := d.before.began
		d.saved, d.checked, d.before.began = true, false, false
		if began {
			return nil // with a look
		}
		d.begun = at
		return a.rates.begin(a.plan, i, at)
	case rollout.OpBackup:
		if s := a.work(int(i)); a.plan.Policy.Backup.Need == policy.BackupNone || !s.Open(at) && !(d.excused && s.Freezes().Open(at)) || a.stage != rollout.StageActive {
			return errors.New("backed up, and it is not its time")
		}
		if !d.saved {
			d.begun = at
			if err := a.rates.begin(a.plan, i, at); err != nil {
				return err
			}
		}
		d.saved = true
	case rollout.OpInstall:
		*d.counter()++
		if err := a.mayTry(i); err != nil {
			return err
		}
		if !d.saved {
			d.begun = at
			if err := a.rates.begin(a.plan, i, at); err != nil {
				return err
			}
		}
		d.saved = false
		switch {
		case a.withdrawn(int(i)):
			return errors.New("installs what is withdrawn")
		case first && len(a.plan.Policy.Health.Probes.List) > 0 && (!d.checked || d.leftOut):
			return errors.New("installed before it was looked at, or though it was not well")
		case a.plan.Policy.Backup.Need != policy.BackupNone && d.backup.IsZero() && !d.waived:
			return errors.New("installed without a backup")
		case a.plan.Policy.Backup.Need != policy.BackupNone && !d.waived && !d.unsure &&
			at.Sub(d.backup) > max(a.plan.Policy.Backup.MaxAge.Std(), clockSkew)+clockSkew+a.retry.Timeout.Std(): // and as long as it took to make it
			return fmt.Errorf("installed with the backup of %s", d.backup)
		case a.stage != rollout.StageActive:
			return fmt.Errorf("installed while the rollout is %s", a.stage)
		case !a.opened[r], slices.Contains(a.passed[:r], false):
			return errors.New("installed before its turn")
		case d.undone || d.taken:
			return errors.New("installed after it was rolled back")
		case d.attempts > a.retry.Attempts || d.byHand > 1:
			return fmt.Errorf("attempt %d of %d, %d by hand", d.attempts, a.retry.Attempts, d.byHand)
		case d.excused && !a.work(int(i)).Freezes().Open(at):
			return errors.New("installed during a freeze")
		case !d.excused && !a.work(int(i)).Open(at):
			return errors.New("installed outside its window")
		case !e.StartBy.IsZero() && !at.Before(e.StartBy):
			return errors.New("issued when it is too late to begin")
		}
	}
	return nil
}

// clockSkew is how far the clock of a device may be from the host's.
const clockSkew = 5 * time.Minute

// backedUp checks how a backup has ended.
func (a *Auditor) backedUp(at time.Time, d *audited, e *rollout.BackedUp, b rollout.Backup) error {
	need := a.plan.Policy.Backup
	switch {
	case d.running || d.op != rollout.OpBackup && !(d.op == rollout.OpVerify && d.saving):
		return errors.New("no backup of it has ended")
	case e.Then == rollout.BackupProved && (b.ID == "" || b.At.After(at) || b.At.Before(d.issued.Add(-need.MaxAge.Std()-clockSkew))):
		return fmt.Errorf("%+v proves nothing", b)
	case e.Then == rollout.BackupWaived && need.Need != policy.BackupBestEffort, e.Then == rollout.BackupLacking && need.Need != policy.BackupRequired:
		return fmt.Errorf("%s, and the policy wants it %s", e.Then, need.Need)
	}
	d.backup, d.waived = b.At, e.Then == rollout.BackupWaived
	return nil
}

// Machine compares the books with what the machine says of itself.
func (a *Auditor) Machine(m *rollout.Machine) error {
	s := m.Status()
	if s.Stage != a.stage {
		return fmt.Errorf("stage %s, want %s", s.Stage, a.stage)
	}
	active, pending := make([]int, len(a.plan.Rings)), 0
	for d := range m.Sessions() {
		active[a.plan.RingOf(int(d))]++
	}
	total := 0
	for r := range a.plan.Rings {
		planned, ring := &a.plan.Rings[r], &s.Rings[r]
		outcomes := make(map[rollout.Outcome]int)
		for i := range a.plan.InRing(r) {
			d, got := &a.devices[i], m.Device(i)
			if got.Outcome != d.outcome || got.Running != d.running || got.Out != d.service.out {
				return fmt.Errorf("device %s: %+v, want %s, running %v, out of service %v", a.plan.Devices[i], got, d.outcome, d.running, d.service.out)
			}
			if d.outcome == rollout.Unsettled {
				pending++
			} else {
				outcomes[d.outcome]++
			}
		}
		for _, o := range rollout.Outcomes() {
			if ring.Outcomes[o] != outcomes[o] {
				return fmt.Errorf("ring %s: %d devices %s, a recount finds %d", ring.Name, ring.Outcomes[o], o, outcomes[o])
			}
		}
		if n := len(slices.Collect(a.plan.InRing(r))); ring.Counts.Devices != n {
			return fmt.Errorf("ring %s: %d devices, a recount finds %d", ring.Name, ring.Counts.Devices, n)
		}
		if ring.Counts.Active != active[r] {
			return fmt.Errorf("ring %s: %d active, a recount finds %d", ring.Name, ring.Counts.Active, active[r])
		}
		if err := cmp.Or(a.recount(r, ring.Counts), a.recountAway(r, m, ring), a.recountAgain(r, ring.Counts, outcomes[rollout.Failed])); err != nil {
			return err
		}
		if planned.MaxActive > 0 && active[r] > planned.MaxActive {
			return fmt.Errorf("ring %s: %d devices at once, the limit is %d", ring.Name, active[r], planned.MaxActive)
		}
		total += active[r]
	}
	if limit := a.plan.Policy.MaxActive; limit > 0 && total > limit {
		return fmt.Errorf("%d devices at once, the limit is %d", total, limit)
	}
	if s.Active != total || s.Pending != pending {
		return fmt.Errorf("%d active, %d pending; a recount finds %d and %d", s.Active, s.Pending, total, pending)
	}
	if s.Stage.Final() && (pending > 0 || total > 0) {
		return fmt.Errorf("%s, with %d devices pending and %d active", s.Stage, pending, total)
	}
	return a.leftover(m)
}
