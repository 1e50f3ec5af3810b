package updateinfo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/patchflow/patchflow/patch"
)

// patches yields what all repositories together say.
func (l *listing) patches(q patch.Query) {
	for _, id := range slices.Sorted(maps.Keys(l.advisories)) {
		if err := l.alive(); err != nil {
			l.yield(patch.Patch{}, err)
			return
		}
		a := l.advisories[id]
		delete(l.advisories, id)
		if a.before(q) {
			continue
		}
		if err := l.pack(a); err != nil {
			return // the caller wants no more
		}
		if !l.yield(a.patch, nil) {
			return
		}
	}
}

// before says whether all that is known of an advisory was before what q asks for.
func (a *advisory) before(q patch.Query) bool {
	p := &a.patch
	if p.Released.IsZero() && p.Modified.IsZero() {
		return false
	}
	return p.Released.Before(q.Since) && p.Modified.Before(q.Since)
}

// pack gives a patch its packages, each once, and what follows from them.
func (l *listing) pack(a *advisory) error {
	slices.SortStableFunc(a.offers, func(x, y offer) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Arch, y.Arch), cmp.Compare(x.Module, y.Module),
			cmp.Compare(x.Fixed.Text, y.Fixed.Text))
	})
	p := &a.patch
	p.Size = 0
	sized := len(a.offers) > 0
	kernel := false
	for i := 0; i < len(a.offers); {
		merged := a.offers[i].Package
		merged.Artefacts = nil
		contested := false
		for ; i < len(a.offers) && same(&merged, &a.offers[i].Package); i++ {
			o := &a.offers[i]
			name := l.word(l.source.config.Repositories[o.repository].Name)
			if !slices.Contains(merged.Origins, name) {
				merged.Origins = append(merged.Origins, name)
			}
			if merged.Source == "" {
				merged.Source = o.Source
			}
			for _, artefact := range append(slices.Clip(o.Artefacts), l.listed(o)...) {
				if !unite(&merged, artefact) && !contested {
					contested = true
					err := l.record(a.where, fmt.Errorf("package %s %s %s: two files with different hashes, in %s", merged.Name, merged.Fixed, merged.Arch, merged.Origins))
					if err != nil {
						return err
					}
				}
			}
		}
		if contested {
			merged.Artefacts = nil
		}
		sized = sized && len(merged.Artefacts) == 1 && merged.Artefacts[0].Size > 0
		if sized {
			p.Size += merged.Artefacts[0].Size
		}
		kernel = kernel || isKernel(merged.Name)
		p.Packages = append(p.Packages, merged)
	}
	if !sized {
		p.Size = 0
	}
	if kernel && p.Reboot == patch.RebootUnknown {
		p.Reboot = patch.RebootMaybe
	}
	p.References = slices.Clone(a.advisory.References)
	a.advisory.Title, a.advisory.Severity, a.advisory.SeverityRaw = p.Title, p.Severity, p.SeverityRaw
	a.advisory.Published = p.Released
	p.Advisories = []patch.Advisory{a.advisory}
	if len(p.Native) == 0 {
		p.Native = nil
	}
	return nil
}

func same(a, b *patch.Package) bool {
	return a.Name == b.Name && a.Arch == b.Arch && a.Module == b.Module && a.Fixed.Text == b.Fixed.Text
}

// listed returns the file that the list of packages of its repository has for o, if that was read and has one.
func (l *listing) listed(o *offer) []patch.Artefact {
	if f := l.files[fileKey{o.repository, o.Name, o.Arch, o.Fixed.Text}]; f != nil && f.found {
		return []patch.Artefact{f.Artefact}
	}
	return nil
}

// unite adds what is known of a package's file. Of two names the one of the list of packages stays, which has a size. It says
// whether the hashes agree.
func unite(p *patch.Package, next patch.Artefact) bool {
	if len(p.Artefacts) == 0 {
		p.Artefacts = []patch.Artefact{next}
		return true
	}
	known := &p.Artefacts[0]
	switch {
	case known.Digest == "":
		next.Size = cmp.Or(next.Size, known.Size)
		if known.Size > 0 {
			next.Name = known.Name
		}
		*known = next
	case next.Digest != "" && next.Digest != known.Digest && sameKind(next.Digest, known.Digest):
		return false
	case known.Size == 0 && next.Size > 0:
		known.Name, known.Size = next.Name, next.Size
	}
	return true
}

// sameKind says whether two hashes are of one algorithm: only then they can contradict each other.
func sameKind(a, b patch.Digest) bool { return len(a) == len(b) }
