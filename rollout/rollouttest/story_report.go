package rollouttest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// report brings reports about the devices that the command names.
func (st *story) report(c *script.Command) error {
	var r rollout.Report
	names := c.Args
	switch c.Name {
	case "ok":
		r.Phase = rollout.PhaseSucceeded
	case "running":
		r.Phase = rollout.PhaseRunning
	case "queued":
		r.Phase = rollout.PhaseQueued
	case "stopped":
		r.Phase = rollout.PhaseStopped
	case "missing":
		r.Phase = rollout.PhaseFailed
	case "fail":
		r.Phase = rollout.PhaseFailed
		at := slices.IndexFunc(names, func(w string) bool { return r.Fault.UnmarshalText([]byte(w)) == nil })
		if at < 0 {
			return errors.New("want the names of devices, then a fault")
		}
		if len(names) > at+2 {
			return fmt.Errorf("unexpected %q", names[at+2])
		}
		if len(names) == at+2 {
			r.Message = names[at+1]
		}
		names = names[:at]
	}
	seq := -1
	err := c.Each(func(key, value string) error {
		switch key {
		case "ref":
			r.Ref = value
		case "backup":
			r.Backup.ID = value
			r.Backup.At = cmp.Or(r.Backup.At, st.now)
		case "made": // so long ago
			d, err := time.ParseDuration(value)
			r.Backup.At = st.now.Add(-d)
			return err
		case "boot":
			r.BootID = value
		case "idle":
			return r.Idle.UnmarshalText([]byte(value))
		case "down":
			r.Probes = append(r.Probes, found(value, patch.No)...)
		case "unknown":
			r.Probes = append(r.Probes, found(value, patch.Unknown)...)
		case "reboot":
			return r.Reboot.UnmarshalText([]byte(value))
		case "after":
			d, err := duration(value)
			r.RetryAfter = d
			return err
		case "seq":
			n, err := strconv.Atoi(value)
			seq = n
			return err
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = st.running()
	}
	return st.reports(c, names, r, seq)
}

// running returns the devices that are at something, each once.
func (st *story) running() []string {
	var names []string
	for _, r := range st.runs {
		for d := range r.tape.live.Running() {
			names = append(names, string(r.tape.plan.Devices[d]))
		}
	}
	slices.Sort(names)
	return names
}

// reports brings the same report about several devices, in one signal per rollout.
func (st *story) reports(c *script.Command, names []string, r rollout.Report, seq int) error {
	signals := make(map[*storyRun][]rollout.TaskReport)
	for _, name := range names {
		run, err := st.runOf(c, name)
		if err != nil {
			return err
		}
		ds, err := run.find([]string{name})
		if err != nil {
			return err
		}
		h, r := rollout.Handle{Device: ds[0], Seq: uint32(max(seq, 0))}, r
		if task, ok := run.tape.live.Task(ds[0]); ok && seq < 0 {
			h = task.Handle
			if task.Op == rollout.OpBackup && r.Phase == rollout.PhaseSucceeded && r.Backup.ID == "" {
				r.Backup = rollout.Backup{ID: "b-" + name, At: st.now}
			}
			if r.Phase == rollout.PhaseSucceeded {
				r.Probes = others(task.Probes, r.Probes)
			}
		} else if seq < 0 {
			return fmt.Errorf("%s is at nothing: say with seq= which task is meant", name)
		}
		signals[run] = append(signals[run], rollout.TaskReport{Handle: h, Report: r})
	}
	for _, run := range st.runs {
		if rs := signals[run]; len(rs) > 0 {
			if err := st.one(run, rollout.Reported{At: st.now, Reports: rs, Sharers: st.agenda.Sharers(run.tape.live, rs, st.now)}, nil); err != nil {
				return err
			}
		}
	}
	return st.grant()
}

func (st *story) done(c *script.Command) error {
	for range 100 {
		running := st.running()
		if len(c.Args) > 0 {
			running = slices.DeleteFunc(running, func(n string) bool { return !slices.Contains(c.Args, n) })
		}
		if len(running) == 0 {
			return nil
		}
		if err := st.reports(c, running, rollout.Report{Phase: rollout.PhaseSucceeded}, -1); err != nil {
			return err
		}
	}
	return errors.New("this does not end")
}

func (st *story) decide(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	ring := arg(c, 0)
	d := policy.Decision{Ruling: policy.Approved, By: "hans", At: st.now}
	if c.Name == "deny" {
		d.Ruling = policy.Denied
	}
	var emergency policy.Emergency
	request := fmt.Sprintf("%s/%s/approval/1", r.tape.plan.Key, ring)
	for a := range r.tape.live.Pending() {
		if ask, ok := a.(rollout.Ask); ok && ask.Request.Ring == ring {
			request, d.Digest = ask.Request.ID, ask.Request.Digest
		}
	}
	err = c.Each(func(key, value string) error {
		switch key {
		case "by":
			d.By = value
		case "reason":
			d.Reason = value
		case "digest":
			d.Digest = patch.Digest(value)
		case "request":
			request = value
		case "groups":
			d.Groups = strings.Split(value, ",")
		case "rule":
			d.By, d.Rule = "rule:"+value, value
		case "expires":
			in, err := duration(value)
			d.Expires = st.now.Add(in)
			return err
		case "emergency":
			emergency.Reason = value
			d.Emergency = &emergency
		case "bypass":
			return bypass(&emergency.Bypass, value)
		case "review":
			in, err := duration(value)
			emergency.ReviewDue = st.now.Add(in)
			return err
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return st.step(r, rollout.Decided{At: st.now, Request: request, Decision: d})
}

func (st *story) command(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	k := rollout.Command{By: "hans", Force: c.Flag("force"), Now: c.Flag("now")}
	if err := k.Do.UnmarshalText([]byte(c.Name)); err != nil {
		return err
	}
	switch subject := arg(c, 0); k.Do {
	case rollout.DoPromote, rollout.DoUndoRing, rollout.DoReview:
		k.Ring = subject
	case rollout.DoSkip, rollout.DoUndoDevice, rollout.DoAcknowledge:
		k.Device = inventory.DeviceID(subject)
	case rollout.DoRelease, rollout.DoWithdraw:
		k.Patch = patch.ID(subject)
	case rollout.DoRetry:
		for name := range strings.FieldsFuncSeq(subject, func(r rune) bool { return r == ',' }) {
			k.Devices = append(k.Devices, inventory.DeviceID(name))
		}
	}
	err = c.Each(func(key, value string) error {
		switch key {
		case "by":
			k.By = value
		case "reason":
			k.Reason = value
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return st.step(r, rollout.Commanded{At: st.now, Command: k})
}

// show prints how everything stands.
func (st *story) show() error {
	for _, r := range st.runs {
		s := r.tape.live.Status()
		head := s.Stage.String()
		if len(st.runs) > 1 {
			head = r.name + ": " + head
		}
		st.out = append(st.out, head)
		for i, ring := range s.Rings {
			line := fmt.Sprintf("  %s: %s", ring.Name, ring.State)
			if ring.Held != "" {
				line += ", " + ring.Held
			}
			if ring.Queued > 0 {
				line += fmt.Sprintf(", %d queued", ring.Queued)
			}
			if ring.Silent > 0 {
				line += fmt.Sprintf(", %d silent", ring.Silent)
			}
			st.out = append(st.out, line)
			st.devices(r, i)
		}
	}
	return nil
}

func (st *story) devices(r *storyRun, ring int) {
	var lines []string
	for d := range r.tape.plan.InRing(ring) {
		s := r.tape.live.Device(d)
		line := fmt.Sprintf("    %s %s", r.tape.plan.Devices[d], s.Outcome)
		switch {
		case s.Running:
			line += ", " + s.Op.String() + " is running"
		case s.Outcome == rollout.Unsettled && s.Op != rollout.OpInstall:
			line += ", waits to " + s.Op.String()
		}
		if s.Attempts > 1 {
			line += fmt.Sprintf(", %d attempts", s.Attempts)
		}
		if s.Retried > 0 {
			line += fmt.Sprintf(", %d by hand", s.ByHand)
		}
		if s.Owes {
			line += ", owes a restart"
		}
		if s.Worse {
			line += ", worse than before"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines) // the order of the plan is that of a hash
	st.out = append(st.out, lines...)
}

func (st *story) explain(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	x := r.tape.live.Explain(inventory.DeviceID(arg(c, 0)), st.now)
	if why, ok := st.agenda.ExplainBudget(r.tape.live, x.Device); ok {
		x.Add(why)
	}
	if why, ok := st.agenda.ExplainRace(r.tape.live, x.Device); ok {
		x.Add(why)
	}
	if why, until, ok := st.agenda.ExplainLinger(r.tape.live, x.Device, st.now); ok {
		x.AddUntil(why, until)
	}
	if why, until, ok := st.agenda.ExplainRate(r.tape.live, x.Device, st.now); ok {
		x.AddUntil(why, until)
	}
	for _, m := range x.Reasons {
		st.out = append(st.out, st.say(m))
	}
	if !x.Next.IsZero() {
		st.out = append(st.out, "next: "+st.day(x.Next))
	}
	return nil
}

func (st *story) quarantine(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	for _, q := range r.tape.live.Quarantine() {
		line := []string{string(q.Patch)}
		if q.Device != "" {
			line = append(line, "on "+string(q.Device))
		}
		line = append(line, "since "+st.day(q.Since)+": "+q.Reason)
		if !q.Released.IsZero() {
			line = append(line, "(released by "+q.By+")")
		}
		st.out = append(st.out, strings.Join(line, " "))
	}
	return nil
}

func (st *story) reviews(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	for _, v := range r.tape.live.Reviews() {
		line := fmt.Sprintf("%s: %s by %s, bypassed %s, due %s", v.Ring, v.Reason, v.By, strings.Join(v.Bypassed, "; "), st.day(v.Due))
		switch {
		case !v.Closed.IsZero():
			line += fmt.Sprintf(", closed %s by %s: %s", st.day(v.Closed), v.Reviewer, v.Result)
		case v.Overdue(st.now):
			line += ", overdue"
		}
		st.out = append(st.out, line)
	}
	return nil
}

// escalate brings an escalation, of a patch that is now known to be exploited or has become severe.
func (st *story) escalate(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	var found []policy.Escalation
	for name := range strings.SplitSeq(arg(c, 0), ",") {
		e := policy.Escalation{Tenant: r.tape.plan.Tenant, Device: inventory.DeviceID(name), Patch: patch.ID(arg(c, 1)), At: st.now, Is: policy.Due{Now: true}}
		switch arg(c, 2) {
		case "exploited":
			e.Causes = []policy.Cause{{Code: policy.CauseExploited, From: "unknown", To: "yes"}}
		case "severe":
			e.Causes = []policy.Cause{{Code: policy.CauseSeverity, From: "low", To: "critical"}}
		default:
			return fmt.Errorf("want exploited or severe")
		}
		found = append(found, e)
	}
	return st.step(r, rollout.Reassessed{At: st.now, Escalations: found})
}

func (st *story) gather(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	o := rollout.PatchOutcomes{Patch: patch.ID(arg(c, 0))}
	err = c.Each(func(key, value string) error {
		switch key {
		case "tenants":
			return number(&o.Tenants, value)
		case "failing":
			return number(&o.Failing, value)
		case "devices":
			return number(&o.Devices, value)
		case "failed":
			return number(&o.Failed, value)
		}
		return fmt.Errorf("unknown option %q", key)
	})
	if err != nil {
		return err
	}
	return st.step(r, rollout.Gathered{At: st.now, Outcomes: []rollout.PatchOutcomes{o}})
}

// join lets a device join.
func (st *story) join(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	j, err := st.scene.joiner(c, &r.tape.plan)
	if err != nil {
		return err
	}
	c.Args = nil
	return st.step(r, rollout.Joined{At: st.now, Joiners: []rollout.Joiner{j}})
}
