package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/rollout"
)

// checkContent refuses content with a name or a version that no package has, before anybody looks whether it is needed.
func (w *work) checkContent(c rollout.Content) error {
	for i := range c.Patches {
		p := &c.Patches[i]
		if len(p.Packages) == 0 {
			return fmt.Errorf("%s: patch %s names no package: %w", w.name, p.ID, patch.ErrPermanent)
		}
		for j := range p.Packages {
			k := &p.Packages[j]
			if err := w.m.Check(Change{Name: k.Name, Arch: k.Arch, From: k.Fixed.Text, To: k.Fixed.Text}); err != nil {
				return fmt.Errorf("%w (in patch %.100q)", err, p.ID)
			}
		}
	}
	return nil
}

// known returns an error if k may be on the device although it is not seen: parts of the database could not be read.
func (w *work) known(s *Sight, k *patch.Package) error {
	if s.Unsure != nil && len(s.states(k)) == 0 {
		return fmt.Errorf("%s: whether %s is installed is not known: %w: %w", w.name, k.Name, s.Unsure, patch.ErrCorrupt)
	}
	return nil
}

// changes returns what of c the device lacks, a package once. If that is nothing, the error tells why; its class is done.
func (w *work) changes(s *Sight, c rollout.Content) ([]Change, error) {
	if err := w.checkContent(c); err != nil {
		return nil, err
	}
	if s.Scan.Software == nil {
		return nil, fmt.Errorf("%w: %w", s.Wrong, patch.ErrCorrupt)
	}
	var changes []Change
	idle := patch.ErrNotApplicable
	at := make(map[string]int)
	for i := range c.Patches {
		for j := range c.Patches[i].Packages {
			k := &c.Patches[i].Packages[j]
			if err := w.known(s, k); err != nil {
				return nil, err
			}
			for _, p := range s.states(k) {
				order, err := version.Compare(p.Version, k.Fixed)
				switch {
				case err != nil:
					return nil, fmt.Errorf("%s: package %s: %w: %w", w.name, k.Name, err, patch.ErrPermanent)
				case order == 0 && !p.Damaged:
					idle = patch.ErrAlreadyInstalled
					continue
				case order > 0:
					if errors.Is(idle, patch.ErrNotApplicable) {
						idle = patch.ErrSuperseded
					}
					continue
				case p.Held:
					return nil, fmt.Errorf("%s: package %s is held at %s: %w", w.name, p.Name, p.Version.Text, patch.ErrNeedsUser)
				}
				one := Change{Name: p.Name, Arch: p.Arch, From: p.Version.Text, To: k.Fixed.Text, Damaged: p.Damaged, Sums: sums(k)}
				n, known := at[p.Name+":"+p.Arch]
				if !known {
					at[p.Name+":"+p.Arch] = len(changes)
					changes = append(changes, one)
				} else if w.newer(one.To, changes[n].To) {
					changes[n] = one
				}
			}
		}
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("%s: there is nothing to install: %w", w.name, idle)
	}
	for _, one := range changes {
		if err := w.m.Check(one); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// sums returns the SHA-256 of the files that k may be.
func sums(k *patch.Package) []string {
	var sums []string
	for _, a := range k.Artefacts {
		if sum, ok := strings.CutPrefix(string(a.Digest), "sha256:"); ok {
			sums = append(sums, strings.ToLower(sum))
		}
	}
	return sums
}

// newer says whether a is a newer version than b.
func (w *work) newer(a, b string) bool {
	x, err := version.Parse(w.m.kind.Scheme, a)
	if err != nil {
		return false
	}
	y, err := version.Parse(w.m.kind.Scheme, b)
	if err != nil {
		return false
	}
	order, err := version.Compare(x, y)
	return err == nil && order > 0
}

// compare returns an error if moves are not exactly the changes. With additions, packages may be installed beside them that
// were not there.
func (w *work) compare(s *Sight, changes []Change, moves []Move, additions bool) error {
	refuse := func(what string) error {
		return fmt.Errorf("%s: refused: %s would %s, which was not asked for: %w", w.name, w.name, what, patch.ErrPermanent)
	}
	done := make([]bool, len(changes))
	for _, m := range moves {
		if m.Remove {
			return refuse("remove " + m.Name + " " + m.From)
		}
		if there := s.find(m.Name, m.Arch); m.From == "" && there != nil {
			m.From = there.Version.Text
		}
		// A package of all architectures may become one of one, and the other way round.
		at := slices.IndexFunc(changes, func(c Change) bool {
			return c.Name == m.Name && (c.Arch == m.Arch || free(c.Arch) || free(m.Arch))
		})
		switch {
		case at < 0 && m.From == "" && additions:
		case at < 0 && m.From == "":
			return refuse("install " + m.Name + " " + m.To + " too")
		case at < 0:
			return refuse("change " + m.Name + " from " + m.From + " to " + m.To + " too")
		case m.To != changes[at].To:
			return refuse("install " + m.To + " of " + m.Name + " instead of " + changes[at].To)
		case done[at]:
			return refuse("install " + m.Name + " twice")
		default:
			done[at] = true
		}
	}
	for i, c := range changes {
		if !done[i] && !c.Damaged {
			return fmt.Errorf("%s: refused: %s would not install %s %s: %w", w.name, w.name, c.Name, c.To, patch.ErrPermanent)
		}
	}
	return nil
}

// planned returns nil if exactly the changes would be made, with files that the content allows. Where the indices lack a version
// they are fetched again.
func (w *work) planned(ctx context.Context, s *Sight, changes []Change) error {
	plan := func() error { return w.plan(ctx, s, Job{Changes: changes}, w.m.Additions) }
	err := plan()
	if _, fetches := w.Tool.(Fetcher); fetches && errors.Is(err, ErrNotOffered) {
		if fresh := w.refresh(ctx); fresh != nil {
			return fmt.Errorf("%w (%v)", fresh, err)
		}
		err = plan()
	}
	if err == nil {
		err = w.sums(ctx, changes)
	}
	return err
}

func (w *work) plan(ctx context.Context, s *Sight, j Job, additions bool) error {
	moves, err := w.Plan(ctx, j)
	if err != nil {
		return w.m.wrap("plan", err)
	}
	return w.compare(s, j.Changes, moves, additions)
}

// sums compares the hashes that the sources have with those that the content allows.
func (w *work) sums(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if len(c.Sums) == 0 {
			continue
		}
		f, ok := w.Tool.(Summer)
		if !ok {
			return fmt.Errorf("%s: %s: it knows no SHA-256, and the content has one: %w", w.name, c.Name, patch.ErrPermanent)
		}
		sum, err := f.Sum(ctx, c)
		if err != nil {
			return w.m.wrap("hash of "+c.Name, err)
		}
		if !slices.Contains(c.Sums, sum) {
			return fmt.Errorf("%s: %s %s: the file that is offered has the SHA-256 %q, wanted is %s: %w", w.name, c.Name, c.To, sum, strings.Join(c.Sums, " or "), patch.ErrUntrusted)
		}
	}
	return nil
}

func (w *work) fetcher() (Fetcher, error) {
	f, ok := w.Tool.(Fetcher)
	if !ok {
		return nil, fmt.Errorf("%s: it fetches nothing: %w", w.name, patch.ErrPermanent)
	}
	return f, nil
}

// refresh fetches the indices.
func (w *work) refresh(ctx context.Context) error {
	f, err := w.fetcher()
	if err == nil {
		err = w.m.wrap("update", f.Refresh(ctx))
	}
	return err
}

// bring fetches what an installation of c would need.
func (w *work) bring(ctx context.Context, c rollout.Content) error {
	s, err := w.Look(ctx)
	if err != nil {
		return err
	}
	changes, err := w.changes(s, c)
	if patch.FaultOf(err).Done() {
		return nil
	}
	if err == nil {
		err = w.planned(ctx, s, changes)
	}
	if err != nil {
		return err
	}
	f, err := w.fetcher()
	if err == nil {
		err = w.m.wrap("download", f.Download(ctx, changes))
	}
	return err
}
