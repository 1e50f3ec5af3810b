package apt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

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
func (m *machine) sound(ctx context.Context) (s, before *sight, err error) {
	err = m.ready(ctx)
	if fault := patch.FaultOf(err); fault == patch.Busy || fault == patch.Unreachable {
		return nil, nil, err
	}
	before, seen := m.look(ctx)
	if seen != nil {
		return nil, nil, seen
	}
	if err == nil && !errors.Is(before.wrong, patch.ErrCorrupt) {
		return before, before, nil
	}
	if err := m.repair(ctx); err != nil {
		return nil, nil, err
	}
	s, err = m.look(ctx)
	return s, before, err
}

// repair ends what dpkg was interrupted in. What cannot be mended is seen by whoever looks afterwards.
func (m *machine) repair(ctx context.Context) error {
	res, err := m.Run(ctx, transport.Command{Argv: []string{"dpkg", "--force-confdef", "--force-confold", "--status-fd", "1", "--configure", "-a"}})
	if err == nil {
		if said := Classify(res); patch.FaultOf(said) == patch.Busy || patch.FaultOf(said) == patch.DiskFull {
			err = said
		}
	}
	var s *sight
	if err == nil {
		s, err = m.look(ctx)
	}
	if err == nil && m.again(ctx, s) {
		s, err = m.look(ctx)
	}
	if err == nil && (s.wrong != nil || m.ready(ctx) != nil) {
		err = m.complete(ctx)
		// Where a script does not come to its end, what dpkg has written beside its database is still taken into that.
		if _, folded := m.Run(ctx, transport.Command{Argv: []string{"dpkg", "--set-selections"}}); err == nil {
			err = folded
		}
	}
	return wrap("repair", err)
}

// again unpacks packages again that dpkg was interrupted in unpacking, which apt does not, in the version that dpkg has written
// down. It says whether there were any. Those whose file is nowhere stay as they are.
func (m *machine) again(ctx context.Context, s *sight) bool {
	var files []string
	for _, d := range s.damaged {
		unpack := strings.HasSuffix(d.State, "half-installed") || strings.HasPrefix(d.State, "reinst-required")
		if unpack && m.keep(ctx, change{name: d.Name, arch: d.Arch, from: d.Version, to: d.Version, damaged: true}) == nil {
			files = append(files, m.kept()+"/"+file(d.Name, d.Version, d.Arch))
		}
	}
	if len(files) == 0 {
		return false
	}
	_, err := m.run(ctx, transport.Command{Argv: append([]string{"dpkg", "--force-confdef", "--force-confold", "--status-fd", "1", "--install", "--"}, files...)})
	return err == nil || !unseen(err)
}

// complete installs what is missing of what others depend on. What is there is not to go.
func (m *machine) complete(ctx context.Context) error {
	fix := []string{"-f", "--no-remove", "-oAPT::Status-Fd=1"}
	res, err := m.Run(ctx, m.apt("install", append([]string{"-s"}, fix...)))
	if err != nil || !res.OK() {
		return err
	}
	if moves, err := readMoves(res.Stdout); err != nil || slices.ContainsFunc(moves, func(v move) bool { return v.remove }) {
		return err
	}
	_, err = m.Run(ctx, m.apt("install", fix))
	return err
}

// install brings the content of t to the device, or leaves what is there.
func (m *machine) install(ctx context.Context, t rollout.Task, wished <-chan struct{}) rollout.Report {
	var changes []change
	var automatic []string
	var mended *sight
	if r := prepared(ctx, wished, func(ctx context.Context) error {
		if err := checkContent(t.Content); err != nil {
			return err
		}
		s, before, err := m.sound(ctx)
		if err != nil {
			return err
		}
		if changes, err = s.changes(t.Content); err != nil {
			if _, was := before.changes(t.Content); errors.Is(err, patch.ErrAlreadyInstalled) && was == nil {
				mended = s
				return nil
			}
			return err
		}
		if err := m.planned(ctx, changes); err != nil {
			return err
		}
		promised := slices.ContainsFunc(t.Content.Patches, func(p rollout.Pinned) bool { return p.Reversal.Possible() })
		for _, c := range changes {
			if err := m.keep(ctx, c); err != nil && (promised && !c.damaged || patch.FaultOf(err) == patch.Unreachable) {
				return err
			}
		}
		if err := m.download(ctx, changes); err != nil {
			return err
		}
		if automatic, err = m.automatic(ctx, names(changes)); err != nil {
			return err
		}
		return m.note(ctx, changes)
	}); r != nil {
		return *r
	}
	if mended != nil {
		r := m.report(mended)
		r.Message = "what was interrupted was brought to its end"
		return r
	}
	_, said := m.run(ctx, m.apt("install", []string{"--no-remove", "-oAPT::Status-Fd=1"}, installs(changes)...))
	if unseen(said) {
		return m.outlast(ctx, t, said)
	}
	s, err := m.look(ctx)
	if err == nil && !s.at(changes) && patch.FaultOf(m.ready(ctx)) == patch.Corrupt {
		if err = m.repair(ctx); err == nil {
			s, err = m.look(ctx)
		}
	}
	if err != nil {
		return m.outlast(ctx, t, err)
	}
	if s.at(changes) {
		m.marked(ctx, automatic)
		for _, c := range changes {
			_, _ = m.Script(ctx, pruneScript, nil, m.kept(), c.name, c.arch)
		}
		r := m.report(s)
		if said != nil {
			r.Message = "installed; apt has ended so: " + said.Error()
		}
		return r
	}
	if said == nil {
		said = errors.New("apt has ended well and not installed it")
	}
	r := rollout.Failure(fmt.Errorf("apt: install: %w", said))
	back := s.back(changes)
	if len(back) > 0 {
		if err := m.putBack(ctx, back); err != nil {
			r.Fault = patch.Corrupt
			r.Message += "; what was there before could not be put back: " + err.Error()
		} else {
			m.marked(ctx, automatic)
			r.Message += "; what was there before was put back"
		}
	}
	return r
}

// unseen says whether err leaves open what became of a command.
func unseen(err error) bool {
	return errors.Is(err, transport.ErrUnknownOutcome) || patch.FaultOf(err) == patch.Unreachable
}

// marked marks packages as installed for others again, which apt forgets when it is told to install them. That it cannot
// changes no version.
func (m *machine) marked(ctx context.Context, automatic []string) { _ = m.mark(ctx, "auto", automatic) }

func names(changes []change) (names []string) {
	for _, c := range changes {
		name := c.name
		if c.arch != "all" && c.arch != "" {
			name += ":" + c.arch
		}
		names = append(names, name)
	}
	return names
}

func (m *machine) report(s *sight) rollout.Report {
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: s.scan.PendingReboot, BootID: s.scan.BootID}
}

// find returns a package as it is on the device, or nil.
func (s *sight) find(name, arch string) *state {
	for i := range s.scan.Software {
		if p := &s.scan.Software[i]; p.Name == name && p.Arch == arch {
			return &state{name: name, arch: arch, version: p.Version, held: p.Held}
		}
	}
	for _, d := range s.damaged {
		if d.Name == name && d.Arch == arch {
			return &state{name: name, arch: arch, version: version.Version{Text: d.Version}, damaged: true}
		}
	}
	return nil
}

// at says whether all changes are made. A package may have become one of all architectures, or of one.
func (s *sight) at(changes []change) bool {
	for _, c := range changes {
		found := slices.ContainsFunc(s.scan.Software, func(p inventory.Software) bool {
			return p.Name == c.name && (p.Arch == c.arch || p.Arch == "all" || c.arch == "all") && p.Version.Text == c.to
		})
		if !found || slices.ContainsFunc(s.damaged, func(d *DamagedError) bool { return d.Name == c.name }) {
			return false
		}
	}
	return true
}

// back returns what has to be put back so that changes are undone. What was damaged before cannot be.
func (s *sight) back(changes []change) []change {
	var back []change
	for _, c := range changes {
		if c.damaged {
			continue
		}
		now := s.find(c.name, c.arch)
		if now == nil {
			now = s.find(c.name, "all")
		}
		if now == nil || now.damaged || now.version.Text != c.from {
			undo := change{name: c.name, arch: c.arch, from: c.to, to: c.from, damaged: now == nil || now.damaged}
			if now != nil {
				undo.from = now.version.Text
			}
			back = append(back, undo)
		}
	}
	return back
}

// putBack installs kept packages.
func (m *machine) putBack(ctx context.Context, changes []change) error {
	var files []string
	for _, c := range changes {
		if err := c.check(); err != nil {
			return err
		}
		// It may have been pruned, and be offered still.
		if err := m.keep(ctx, change{name: c.name, arch: c.arch, from: c.to, to: c.to, damaged: true}); err != nil {
			return err
		}
		files = append(files, m.kept()+"/"+file(c.name, c.to, c.arch))
	}
	options := []string{"--allow-downgrades", "--no-remove", "-oAPT::Status-Fd=1"}
	if err := m.simulate(ctx, files, changes, false, options...); err != nil {
		return err
	}
	_, said := m.run(ctx, m.apt("install", options, files...))
	s, err := m.look(ctx)
	switch {
	case err != nil:
		return err
	case s.at(changes):
		return nil
	case said == nil:
		return errors.New("apt: put back: apt has ended well and not done it")
	}
	return fmt.Errorf("apt: put back: %w", said)
}

// undo returns how the content of c is taken back: each package to what it was before the newest version that c has of it, and
// so on.
func (m *machine) undo(ctx context.Context, s *sight, c rollout.Content) ([]change, error) {
	if err := checkContent(c); err != nil {
		return nil, err
	}
	if s.scan.Software == nil {
		return nil, fmt.Errorf("%w: %w", s.wrong, patch.ErrCorrupt)
	}
	of := make(map[string]map[string]bool) // the versions of c, by package
	var found []state
	lowest := make(map[string]string)
	for i := range c.Patches {
		for j := range c.Patches[i].Packages {
			k := &c.Patches[i].Packages[j]
			if err := s.known(k); err != nil {
				return nil, err
			}
			for _, p := range s.states(k) {
				id := p.name + ":" + p.arch
				if of[id] == nil {
					of[id] = make(map[string]bool)
					found = append(found, p)
					lowest[id] = k.Fixed.Text
				}
				of[id][k.Fixed.Text] = true
				if newer(lowest[id], k.Fixed.Text) {
					lowest[id] = k.Fixed.Text
				}
			}
		}
	}
	notes, err := m.notes(ctx)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, p := range found {
		id := p.name + ":" + p.arch
		if newer(lowest[id], p.version.Text) {
			continue // it is not there
		}
		if p.held {
			return nil, fmt.Errorf("apt: package %s is held at %s: %w", p.name, p.version.Text, patch.ErrNeedsUser)
		}
		to := p.version.Text
		for range len(notes) + 1 {
			if !of[id][to] {
				break
			}
			at := -1
			for i, n := range notes {
				if n.name == p.name && n.arch == p.arch && n.to == to && newer(n.to, n.from) {
					at = i
				}
			}
			if at < 0 {
				break
			}
			to = notes[at].from
		}
		if to == p.version.Text || of[id][to] {
			return nil, fmt.Errorf("apt: package %s is at %s: what was there before the content is not known: %w", p.name, p.version.Text, patch.ErrPermanent)
		}
		changes = append(changes, change{name: p.name, arch: p.arch, from: p.version.Text, to: to, damaged: p.damaged})
	}
	return changes, nil
}

// rollback takes the content of t back.
func (m *machine) rollback(ctx context.Context, t rollout.Task, wished <-chan struct{}) rollout.Report {
	var s *sight
	var changes []change
	var automatic []string
	if r := prepared(ctx, wished, func(ctx context.Context) (err error) {
		if err := checkContent(t.Content); err != nil {
			return err
		}
		if s, _, err = m.sound(ctx); err != nil {
			return err
		}
		if changes, err = m.undo(ctx, s, t.Content); err != nil || len(changes) == 0 {
			return err
		}
		automatic, err = m.automatic(ctx, names(changes))
		return err
	}); r != nil {
		return *r
	}
	if len(changes) == 0 {
		return m.report(s)
	}
	if err := m.putBack(ctx, changes); unseen(err) {
		return m.outlast(ctx, t, err)
	} else if err != nil {
		return rollout.Failure(err)
	}
	m.marked(ctx, automatic)
	s, err := m.look(ctx)
	if err != nil {
		return m.outlast(ctx, t, err)
	}
	return m.report(s)
}

// outlast asks until it is known what became of a task whose device has gone away.
func (m *machine) outlast(ctx context.Context, t rollout.Task, why error) rollout.Report {
	settle := m.settle(t)
	for {
		if r, err := settle(ctx, desk.Begun{ID: t.ID, Op: t.Op}); err == nil && r.Phase.Last() {
			return r
		}
		if !pause(ctx, m.Poll) {
			return rollout.Failure(fmt.Errorf("apt: it is not known what became of it: %w: %w", why, patch.ErrUnreachable))
		}
	}
}

// pause says whether ctx has outlasted it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// settle tells how a task stands whose work nobody waits for any more, by what is true on the device.
func (m *machine) settle(t rollout.Task) desk.Settle {
	return func(ctx context.Context, b desk.Begun) (rollout.Report, error) {
		now := *m.Config
		now.Lock = -1
		at := &machine{m.Device, &now}
		s, err := at.look(ctx)
		if err != nil {
			return rollout.Report{}, err
		}
		if b.Op == rollout.OpReboot {
			if s.scan.BootID == "" || s.scan.BootID == b.BootID {
				return rollout.Report{Phase: rollout.PhaseRunning}, nil
			}
			return at.report(s), nil
		}
		err = at.ready(ctx)
		switch fault := patch.FaultOf(err); {
		case fault == patch.Busy:
			return rollout.Report{Phase: rollout.PhaseRunning}, nil
		case unseen(err):
			return rollout.Report{}, err
		}
		if s, err = at.look(ctx); err != nil {
			return rollout.Report{}, err
		}
		op := b.Op
		if op == rollout.OpUnknown {
			op = t.Op
		}
		if op == rollout.OpDownload {
			return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the download was broken off"}, nil
		}
		left := 0
		if op == rollout.OpRollback {
			var back []change
			back, err = at.undo(ctx, s, t.Content)
			left = len(back)
		} else {
			var todo []change
			if todo, err = s.changes(t.Content); errors.Is(err, patch.ErrAlreadyInstalled) {
				err = nil
			}
			left = len(todo)
		}
		switch {
		case unseen(err):
			return rollout.Report{}, err
		case err != nil:
			return rollout.Failure(err), nil
		case left == 0:
			return at.report(s), nil
		case errors.Is(s.wrong, patch.ErrCorrupt):
			return rollout.Failure(fmt.Errorf("apt: %s was interrupted: %w", op, s.wrong)), nil
		}
		return rollout.Failure(fmt.Errorf("apt: %s was interrupted before it was done", op)), nil
	}
}

// verify looks whether the content is there and works, or is gone.
func (m *machine) verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if err := checkContent(t.Content); err != nil {
		return rollout.Report{}, err
	}
	s, err := m.look(ctx)
	if err != nil {
		return rollout.Report{}, err
	}
	if s.scan.Software == nil {
		return rollout.Report{}, fmt.Errorf("%w: %w", s.wrong, patch.ErrCorrupt)
	}
	missing := func(format string, args ...any) (rollout.Report, error) {
		return rollout.Report{Phase: rollout.PhaseFailed, Message: "apt: " + fmt.Sprintf(format, args...), BootID: s.scan.BootID}, nil
	}
	var look []change
	for i := range t.Content.Patches {
		p := &t.Content.Patches[i]
		found := 0
		for j := range p.Packages {
			k := &p.Packages[j]
			if err := s.known(k); err != nil {
				return rollout.Report{}, err
			}
			for _, st := range s.states(k) {
				found++
				there := !newer(k.Fixed.Text, st.version.Text)
				switch {
				case t.Absent && there:
					return missing("%s is still there: %s is at %s", p.ID, st.name, st.version.Text)
				case t.Absent:
				case !there:
					return missing("%s is at %s, below %s", st.name, st.version.Text, k.Fixed.Text)
				case st.damaged:
					return rollout.Failure(fmt.Errorf("apt: %s %s is there and not configured: %w", st.name, st.version.Text, patch.ErrPermanent)), nil
				default:
					look = append(look, change{name: st.name, arch: st.arch})
				}
			}
		}
		if !t.Absent && found == 0 {
			return missing("no package of %s is installed", p.ID)
		}
	}
	if len(look) > 0 {
		if altered, err := m.altered(ctx, names(look)); err != nil {
			return rollout.Report{}, err
		} else if altered != "" {
			return rollout.Failure(fmt.Errorf("apt: what is installed is not what was: %s: %w", altered, patch.ErrPermanent)), nil
		}
	}
	return m.report(s), nil
}

// altered returns a file of packages that has another sum than it was installed with, or is not there. dpkg ends with 0 for it.
// Files that many systems leave out on purpose, and those for configuration, are not looked at.
func (m *machine) altered(ctx context.Context, names []string) (string, error) {
	res, err := m.run(ctx, transport.Command{Argv: append([]string{"dpkg", "--verify", "--"}, names...)})
	if err != nil && len(res.Stdout) == 0 {
		return "", wrap("verify", err)
	}
	for line := range strings.Lines(string(res.Stdout)) {
		line = strings.TrimRight(line, "\n")
		what, path, ok := strings.Cut(line, " /")
		if !ok || strings.HasSuffix(strings.TrimSpace(what), " c") {
			continue
		}
		if strings.HasPrefix(what, "??5") {
			return "/" + path + " was altered", nil
		}
		spare := slices.ContainsFunc([]string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/"}, func(p string) bool {
			return strings.HasPrefix(path, p)
		})
		if strings.HasPrefix(what, "missing") && !spare {
			return "/" + path + " is missing", nil
		}
	}
	return "", nil
}

// reboot restarts the device and waits until it is back with another boot.
func (m *machine) reboot(ctx context.Context, boot string) rollout.Report {
	s, err := m.look(ctx)
	if err != nil {
		return rollout.Failure(err)
	}
	if s.scan.BootID != boot {
		return m.report(s)
	}
	res, err := m.Run(ctx, transport.Command{Argv: m.Restart})
	if err != nil && !errors.Is(err, transport.ErrUnknownOutcome) {
		return rollout.Failure(wrap("restart", err))
	}
	if err == nil && res.Ended && !res.OK() {
		return rollout.Failure(wrap("restart", desk.Failed(res)))
	}
	for {
		if s, err := m.look(ctx); err == nil && s.scan.BootID != "" && s.scan.BootID != boot {
			return m.report(s)
		}
		if !pause(ctx, m.Poll) {
			return rollout.Failure(fmt.Errorf("apt: the device did not come back from its restart: %w", patch.ErrUnreachable))
		}
	}
}
