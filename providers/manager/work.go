package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A work is the package manager of one device, and what is done with it.
type work struct {
	Tool
	m    *Access
	name string
}

func newWork(m *Access) *work { return &work{m.kind.Open(m), m, m.kind.Name} }

// until returns a context that ends when somebody wishes so.
func until(ctx context.Context, wished <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-wished:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func over(wished <-chan struct{}) bool {
	select {
	case <-wished:
		return true
	default:
		return false
	}
}

// prepared carries out what changes no package. It returns the last report of the task if there is no more to do.
func prepared(ctx context.Context, wished <-chan struct{}, do func(ctx context.Context) error) *rollout.Report {
	prep, stop := until(ctx, wished)
	defer stop()
	err := do(prep)
	switch {
	case over(wished):
		return &rollout.Report{Phase: rollout.PhaseStopped, Message: "cancelled before anything was installed"}
	case err != nil:
		r := rollout.Failure(err)
		return &r
	}
	return nil
}

// sound looks at the device when nobody else works on it, and repairs what was interrupted. before is what it looked like.
func (w *work) sound(ctx context.Context) (s, before *Sight, err error) {
	err = w.Ready(ctx)
	if fault := patch.FaultOf(err); fault == patch.Busy || fault == patch.Unreachable {
		return nil, nil, err
	}
	before, seen := w.Look(ctx)
	if seen != nil {
		return nil, nil, seen
	}
	if err == nil && !errors.Is(before.Wrong, patch.ErrCorrupt) {
		return before, before, nil
	}
	if err := w.repair(ctx); err != nil {
		return nil, nil, err
	}
	s, err = w.Look(ctx)
	return s, before, err
}

// install brings the content of t to the device, or leaves what is there.
func (w *work) install(ctx context.Context, t rollout.Task, wished <-chan struct{}) rollout.Report {
	var changes []Change
	var mended *Sight
	if r := prepared(ctx, wished, func(ctx context.Context) error {
		if err := w.checkContent(t.Content); err != nil {
			return err
		}
		s, before, err := w.sound(ctx)
		if err != nil {
			return err
		}
		if changes, err = w.changes(s, t.Content); err != nil {
			if _, was := w.changes(before, t.Content); errors.Is(err, patch.ErrAlreadyInstalled) && was == nil {
				mended = s
				return nil
			}
			return err
		}
		if err := w.planned(ctx, s, changes); err != nil {
			return err
		}
		promised := slices.ContainsFunc(t.Content.Patches, func(p rollout.Pinned) bool { return p.Reversal.Possible() })
		for _, c := range changes {
			if err := w.keep(ctx, c); err != nil && (promised && !c.Damaged || patch.FaultOf(err) == patch.Unreachable) {
				return err
			}
		}
		if f, ok := w.Tool.(Fetcher); ok {
			if err := f.Download(ctx, changes); err != nil {
				return w.m.wrap("download", err)
			}
		}
		return w.m.note(ctx, changes)
	}); r != nil {
		return *r
	}
	if mended != nil {
		r := w.report(mended)
		r.Message = "what was interrupted was brought to its end"
		return r
	}
	if r := w.alone(ctx, t); r != nil {
		return *r
	}
	said := w.Carry(ctx, Job{Changes: changes})
	if unseen(said) {
		return w.outlast(ctx, t, said)
	}
	s, err := w.Look(ctx)
	if err == nil && !s.at(changes) && patch.FaultOf(w.Ready(ctx)) == patch.Corrupt {
		if err = w.repair(ctx); err == nil {
			s, err = w.Look(ctx)
		}
	}
	if err != nil {
		return w.outlast(ctx, t, err)
	}
	if s.at(changes) && w.whole(ctx, changes, said) {
		for _, c := range changes {
			w.m.prune(ctx, c)
		}
		r := w.report(s)
		if said != nil {
			r.Message = "installed; " + w.name + " has ended so: " + said.Error()
		}
		return r
	}
	if said == nil {
		said = fmt.Errorf("%s has ended well and not installed it", w.name)
	}
	r := rollout.Failure(w.m.wrap("install", said))
	back := s.back(changes)
	if len(back) > 0 {
		if err := w.putBack(ctx, back); err != nil {
			r.Fault = patch.Corrupt
			r.Message += "; what was there before could not be put back: " + err.Error()
		} else {
			r.Message += "; what was there before was put back"
		}
	}
	return r
}

// alone writes down that the device is asked to change something for t. It returns what became of t if that was written down before: a process
// that prepares the same task, because one before it had not come so far, is not the only one if that one is still there.
func (w *work) alone(ctx context.Context, t rollout.Task) *rollout.Report {
	first, err := w.m.book.Asked(ctx, t.ID)
	if first {
		return nil
	}
	var r rollout.Report
	if err != nil {
		r = rollout.Failure(w.m.wrap(t.Op.String(), err))
	} else {
		r = w.outlast(ctx, t, errors.New("another process is at it"))
	}
	return &r
}

// whole says whether changes that the database has are really there, when the package manager has ended so. Some write down that a
// package is installed although its files could not be written.
func (w *work) whole(ctx context.Context, changes []Change, said error) bool {
	if errors.Is(said, ErrUnfinished) {
		return false
	}
	prover, ok := w.Tool.(Prover)
	if said == nil || !ok {
		return true
	}
	altered, err := prover.Altered(ctx, changes)
	return err != nil || altered == ""
}

// unseen says whether err leaves open what became of a command.
func unseen(err error) bool {
	return errors.Is(err, transport.ErrUnknownOutcome) || patch.FaultOf(err) == patch.Unreachable
}

func (w *work) report(s *Sight) rollout.Report {
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: s.Scan.PendingReboot, BootID: s.Scan.BootID}
}

// at says whether all changes are made. A package may have become one of all architectures, or of one.
func (s *Sight) at(changes []Change) bool {
	for _, c := range changes {
		found := slices.ContainsFunc(s.Scan.Software, func(p inventory.Software) bool {
			return p.Name == c.Name && (p.Arch == c.Arch || free(p.Arch) || free(c.Arch)) && p.Version.Text == c.To
		})
		if !found || slices.ContainsFunc(s.Packages, func(p State) bool { return p.Name == c.Name && p.Damaged }) {
			return false
		}
	}
	return true
}

// back returns what has to be put back so that changes are undone. What was damaged before cannot be.
func (s *Sight) back(changes []Change) []Change {
	var back []Change
	for _, c := range changes {
		if c.Damaged {
			continue
		}
		now := s.find(c.Name, c.Arch)
		for _, all := range []string{"all", "noarch", "any"} {
			if now == nil {
				now = s.find(c.Name, all)
			}
		}
		if now == nil || now.Damaged || now.Version.Text != c.From {
			undo := Change{Name: c.Name, Arch: c.Arch, From: c.To, To: c.From, Damaged: now == nil || now.Damaged}
			if now != nil {
				undo.From = now.Version.Text
			}
			back = append(back, undo)
		}
	}
	return back
}

// putBack installs kept packages.
func (w *work) putBack(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if err := w.m.Check(c); err != nil {
			return err
		}
		// It may have been pruned, and be offered still.
		if err := w.keep(ctx, Change{Name: c.Name, Arch: c.Arch, From: c.To, To: c.To, Damaged: true}); err != nil {
			return err
		}
	}
	job := Job{Changes: changes, Back: true}
	before, err := w.Look(ctx)
	if err != nil {
		return err
	}
	if err := w.plan(ctx, before, job, false); err != nil {
		return err
	}
	said := w.Carry(ctx, job)
	s, err := w.Look(ctx)
	switch {
	case err != nil:
		return err
	case s.at(changes):
		return nil
	case said == nil:
		said = fmt.Errorf("%s has ended well and not done it", w.name)
	}
	return w.m.wrap("put back", said)
}

// keep keeps the package that c replaces.
func (w *work) keep(ctx context.Context, c Change) error {
	k, ok := w.Tool.(Keeper)
	if !ok {
		return fmt.Errorf("%s: it keeps no packages: %w", w.name, patch.ErrPermanent)
	}
	if err := w.m.Check(c); err != nil {
		return err
	}
	return w.m.wrap("keep "+c.Name+" "+c.From, k.Keep(ctx, c))
}

// repair ends what was interrupted, where the package manager can.
func (w *work) repair(ctx context.Context) error {
	if r, ok := w.Tool.(Repairer); ok {
		return w.m.wrap("repair", r.Repair(ctx))
	}
	return nil
}

// hold holds packages that the device has, or does not any more.
func (w *work) hold(ctx context.Context, held bool, names []string) error {
	what := "hold"
	if !held {
		what = "unhold"
	}
	h, ok := w.Tool.(Holder)
	if !ok {
		return fmt.Errorf("%s: %s: it holds no packages: %w", w.name, what, patch.ErrPermanent)
	}
	for _, name := range names {
		if err := w.m.kind.Words.CheckName(name); err != nil {
			return err
		}
	}
	s, err := w.Look(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !s.has(name) {
			return fmt.Errorf("%s: %s: package %s is not installed: %w", w.name, what, name, patch.ErrNotApplicable)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := h.Hold(ctx, held, names); err != nil {
		return w.m.wrap(what, err)
	}
	if s, err = w.Look(ctx); err != nil {
		return err
	}
	for _, name := range names {
		if s.held(name) != held {
			return fmt.Errorf("%s: %s: package %s is as it was", w.name, what, name)
		}
	}
	return nil
}

// undo returns how the content of c is taken back: each package to what it was before the newest version that c has of it, and
// so on.
func (w *work) undo(ctx context.Context, s *Sight, c rollout.Content) ([]Change, error) {
	if err := w.checkContent(c); err != nil {
		return nil, err
	}
	if s.Scan.Software == nil {
		return nil, fmt.Errorf("%w: %w", s.Wrong, patch.ErrCorrupt)
	}
	of := make(map[string]map[string]bool) // the versions of c, by package
	var found []State
	lowest := make(map[string]string)
	for i := range c.Patches {
		for j := range c.Patches[i].Packages {
			k := &c.Patches[i].Packages[j]
			if err := w.known(s, k); err != nil {
				return nil, err
			}
			for _, p := range s.states(k) {
				id := p.Name + ":" + p.Arch
				if of[id] == nil {
					of[id] = make(map[string]bool)
					found = append(found, p)
					lowest[id] = k.Fixed.Text
				}
				of[id][k.Fixed.Text] = true
				if w.newer(lowest[id], k.Fixed.Text) {
					lowest[id] = k.Fixed.Text
				}
			}
		}
	}
	notes, err := w.m.notes(ctx)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, p := range found {
		id := p.Name + ":" + p.Arch
		if w.newer(lowest[id], p.Version.Text) {
			continue // it is not there
		}
		if p.Held {
			return nil, fmt.Errorf("%s: package %s is held at %s: %w", w.name, p.Name, p.Version.Text, patch.ErrNeedsUser)
		}
		to := p.Version.Text
		for range len(notes) + 1 {
			if !of[id][to] {
				break
			}
			at := -1
			for i, n := range notes {
				if n.Name == p.Name && n.Arch == p.Arch && n.To == to && w.newer(n.To, n.From) {
					at = i
				}
			}
			if at < 0 {
				break
			}
			to = notes[at].From
		}
		if to == p.Version.Text || of[id][to] {
			return nil, fmt.Errorf("%s: package %s is at %s: what was there before the content is not known: %w", w.name, p.Name, p.Version.Text, patch.ErrPermanent)
		}
		changes = append(changes, Change{Name: p.Name, Arch: p.Arch, From: p.Version.Text, To: to, Damaged: p.Damaged})
	}
	return changes, nil
}

// rollback takes the content of t back.
func (w *work) rollback(ctx context.Context, t rollout.Task, wished <-chan struct{}) rollout.Report {
	var s *Sight
	var changes []Change
	if r := prepared(ctx, wished, func(ctx context.Context) (err error) {
		if err := w.checkContent(t.Content); err != nil {
			return err
		}
		if s, _, err = w.sound(ctx); err != nil {
			return err
		}
		changes, err = w.undo(ctx, s, t.Content)
		return err
	}); r != nil {
		return *r
	}
	if len(changes) == 0 {
		return w.report(s)
	}
	if r := w.alone(ctx, t); r != nil {
		return *r
	}
	if err := w.putBack(ctx, changes); unseen(err) {
		return w.outlast(ctx, t, err)
	} else if err != nil {
		return rollout.Failure(err)
	}
	s, err := w.Look(ctx)
	if err != nil {
		return w.outlast(ctx, t, err)
	}
	return w.report(s)
}

// outlast asks until it is known what became of a task whose device has gone away.
func (w *work) outlast(ctx context.Context, t rollout.Task, why error) rollout.Report {
	settle := w.settle(t)
	for {
		if r, _, err := settle(ctx, desk.Begun{ID: t.ID, Op: t.Op, Asked: true}); err == nil && r.Phase.Last() {
			return r
		}
		if !w.m.Pause(ctx) {
			return rollout.Failure(fmt.Errorf("%s: it is not known what became of it: %w: %w", w.name, why, patch.ErrUnreachable))
		}
	}
}

// settle tells how a task stands whose work nobody waits for any more, by what is true on the device.
func (w *work) settle(t rollout.Task) desk.Settle {
	return func(ctx context.Context, b desk.Begun) (r rollout.Report, again bool, err error) {
		now := *w.m
		now.Lock = -1
		at := newWork(&now)
		s, err := at.Look(ctx)
		switch {
		case patch.FaultOf(err) == patch.Busy: // somebody is changing what was looked at: it may be this task
			return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
		case err != nil:
			return rollout.Report{}, false, err
		}
		op := b.Op
		if op == rollout.OpUnknown {
			op = t.Op
		}
		if op == rollout.OpReboot {
			switch boot := cmp.Or(b.BootID, t.BootID, s.Scan.BootID); {
			case s.Scan.BootID == "", s.Scan.BootID == boot && b.Asked:
				return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
			case s.Scan.BootID == boot: // to ask twice does no harm: a boot ends once
				return rollout.Failure(fmt.Errorf("%s: nobody has asked the device to restart", w.name)), true, nil
			}
			return at.report(s), false, nil
		}
		err = at.Ready(ctx)
		switch fault := patch.FaultOf(err); {
		case fault == patch.Busy:
			return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
		case unseen(err):
			return rollout.Report{}, false, err
		}
		s, err = at.Look(ctx)
		switch {
		case patch.FaultOf(err) == patch.Busy:
			return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
		case err != nil:
			return rollout.Report{}, false, err
		}
		switch op {
		case rollout.OpDownload:
			return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the download was broken off"}, true, nil
		case rollout.OpRemedy:
			return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the remedy was broken off"}, true, nil
		case rollout.OpPrecheck, rollout.OpProbe:
			return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the look was broken off"}, true, nil
		}
		left := 0
		if op == rollout.OpRollback {
			var back []Change
			back, err = at.undo(ctx, s, t.Content)
			left = len(back)
		} else {
			var todo []Change
			if todo, err = w.changes(s, t.Content); errors.Is(err, patch.ErrAlreadyInstalled) {
				err = nil
			}
			left = len(todo)
		}
		switch {
		case unseen(err):
			return rollout.Report{}, false, err
		case err != nil:
			return rollout.Failure(err), false, nil
		case left == 0:
			return at.report(s), false, nil
		case errors.Is(s.Wrong, patch.ErrCorrupt):
			return rollout.Failure(fmt.Errorf("%s: %s was interrupted: %w", w.name, op, s.Wrong)), !b.Asked, nil
		}
		return rollout.Failure(fmt.Errorf("%s: %s was interrupted before it was done", w.name, op)), !b.Asked, nil
	}
}

// verify looks whether the content is there and works, or is gone.
func (w *work) verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if err := w.checkContent(t.Content); err != nil {
		return rollout.Report{}, err
	}
	s, err := w.Look(ctx)
	if err != nil {
		return rollout.Report{}, err
	}
	if s.Scan.Software == nil {
		return rollout.Report{}, fmt.Errorf("%w: %w", s.Wrong, patch.ErrCorrupt)
	}
	missing := func(format string, args ...any) (rollout.Report, error) {
		return rollout.Report{Phase: rollout.PhaseFailed, Message: w.name + ": " + fmt.Sprintf(format, args...), BootID: s.Scan.BootID}, nil
	}
	var look []Change
	for i := range t.Content.Patches {
		p := &t.Content.Patches[i]
		found := 0
		for j := range p.Packages {
			k := &p.Packages[j]
			if err := w.known(s, k); err != nil {
				return rollout.Report{}, err
			}
			for _, st := range s.states(k) {
				found++
				there := !w.newer(k.Fixed.Text, st.Version.Text)
				switch {
				case t.Absent && there:
					return missing("%s is still there: %s is at %s", p.ID, st.Name, st.Version.Text)
				case t.Absent:
				case !there:
					return missing("%s is at %s, below %s", st.Name, st.Version.Text, k.Fixed.Text)
				case st.Damaged:
					return rollout.Failure(fmt.Errorf("%s: %s %s is there and not configured: %w", w.name, st.Name, st.Version.Text, patch.ErrPermanent)), nil
				default:
					look = append(look, Change{Name: st.Name, Arch: st.Arch})
				}
			}
		}
		if !t.Absent && found == 0 {
			return missing("no package of %s is installed", p.ID)
		}
	}
	if prover, ok := w.Tool.(Prover); ok && len(look) > 0 {
		if altered, err := prover.Altered(ctx, look); err != nil {
			return rollout.Report{}, w.m.wrap("verify", err)
		} else if altered != "" {
			return rollout.Failure(fmt.Errorf("%s: what is installed is not what was: %s: %w", w.name, altered, patch.ErrPermanent)), nil
		}
	}
	return w.report(s), nil
}

// reboot restarts the device and waits until it is back with another boot.
func (w *work) reboot(ctx context.Context, id rollout.TaskID, boot string) rollout.Report {
	s, err := w.Look(ctx)
	if err != nil {
		return rollout.Failure(err)
	}
	if s.Scan.BootID != boot {
		return w.report(s)
	}
	res, err := w.m.Run(ctx, transport.Command{Argv: w.m.Restart})
	if err != nil && !errors.Is(err, transport.ErrUnknownOutcome) {
		return rollout.Failure(w.m.wrap("restart", err))
	}
	if err == nil && res.Ended && !res.OK() {
		return rollout.Failure(w.m.wrap("restart", desk.Failed(res)))
	}
	_, _ = w.m.book.Asked(ctx, id) // it may be going down already: then its next boot tells
	for {
		if s, err := w.Look(ctx); err == nil && s.Scan.BootID != "" && s.Scan.BootID != boot {
			return w.report(s)
		}
		if !w.m.Pause(ctx) {
			return rollout.Failure(fmt.Errorf("%s: the device did not come back from its restart: %w", w.name, patch.ErrUnreachable))
		}
	}
}
