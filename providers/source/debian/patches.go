package debian

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// patches yields what the indices hold, by source package and version.
func (l *listing) patches(ctx context.Context, q patch.Query) {
	builds := slices.SortedFunc(maps.Values(l.builds), func(a, b *build) int {
		return cmp.Or(strings.Compare(a.source, b.source), cmp.Compare(a.key, b.key), strings.Compare(a.version, b.version))
	})
	for _, b := range builds {
		for _, err := range b.merge(l.origins) {
			if l.record(err) != nil {
				return
			}
		}
	}
	for len(builds) > 0 {
		n := 1
		for n < len(builds) && builds[n].source == builds[0].source {
			n++
		}
		of := builds[:n]
		explained := explain(l.advisories[of[0].source], of)
		for i, b := range of {
			if ctx.Err() != nil {
				l.end(ctx.Err())
				return
			}
			if !l.source.wanted(q, b) {
				continue
			}
			p := l.patch(b)
			for j := range i {
				if of[j].key < b.key && b.covers(of[j]) {
					p.Supersedes = append(p.Supersedes, l.source.id(of[j].release))
				}
			}
			for _, a := range explained[i] {
				p.Advisories = append(p.Advisories, a.advisory)
				if a.key == b.key && (p.Released.IsZero() || a.advisory.Published.Before(p.Released)) {
					p.Released = a.advisory.Published
				}
			}
			if !l.yield(p, nil) {
				return
			}
		}
		builds = builds[n:]
	}
}

// id returns the ID of the patch that brings a release.
func (s *Source) id(of release) patch.ID {
	return patch.ID(s.vendor + ":" + s.config.Codename + "/" + of.source + "=" + of.version)
}

// wanted says whether a platform of q could install any package of b.
func (s *Source) wanted(q patch.Query, b *build) bool {
	if len(q.Platforms) == 0 {
		return true
	}
	for _, platform := range q.Platforms {
		if !s.fits(platform) {
			continue
		}
		if platform.Arch == "" || platform.Arch == "all" {
			return true
		}
		for i := range b.packages {
			if arch := b.packages[i].Arch; arch == "all" || arch == platform.Arch {
				return true
			}
		}
	}
	return false
}

// merge sorts the packages of b and makes one of those that several indices offer in the same version.
// It returns an error for each package that is not the same file everywhere; the first index's file stays.
func (b *build) merge(origins []origin) (conflicts []error) {
	slices.SortStableFunc(b.packages, func(x, y offer) int {
		if c := cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Arch, y.Arch)); c != 0 {
			return c
		}
		c, _ := version.Compare(x.Fixed, y.Fixed) // both were read as versions before
		return cmp.Or(c, strings.Compare(x.Fixed.Text, y.Fixed.Text))
	})
	merged := b.packages[:0]
	for _, p := range b.packages {
		if len(merged) > 0 {
			last := &merged[len(merged)-1]
			if last.Name == p.Name && last.Arch == p.Arch && last.Fixed == p.Fixed {
				if !slices.Contains(last.Origins, p.Origins[0]) {
					last.Origins = append(last.Origins, p.Origins[0])
				}
				switch {
				case len(last.Artefacts) == 0:
					last.Artefacts = p.Artefacts
				case len(p.Artefacts) == 0 || p.Artefacts[0].Digest == "":
				case last.Artefacts[0].Digest == "":
					last.Artefacts = p.Artefacts
				case p.Artefacts[0].Digest != last.Artefacts[0].Digest:
					conflicts = append(conflicts, fmt.Errorf("debian: package %s %s %s: %s and %s hold different files: %w",
						p.Name, p.Fixed, p.Arch, origins[last.index].name[0], origins[p.index].name[0], patch.ErrRecord))
				}
				continue
			}
		}
		merged = append(merged, p)
	}
	clear(b.packages[len(merged):])
	b.packages = merged
	return conflicts
}

// covers says whether b is offered for every architecture that older is offered for. An archive may have built the newer
// version for some architectures only; devices of the others still need the older one.
func (b *build) covers(older *build) bool {
	archs := func(b *build) map[string]bool {
		set := make(map[string]bool, 2)
		for i := range b.packages {
			set[b.packages[i].Arch] = true
		}
		return set
	}
	newer := archs(b)
	if len(newer) == 1 && newer["all"] {
		return true
	}
	for arch := range archs(older) {
		if !newer[arch] {
			return false
		}
	}
	return true
}

// patch returns the patch that brings b, without what other versions and advisories add.
func (l *listing) patch(b *build) patch.Patch {
	s := l.source
	p := patch.Patch{
		ID:       s.id(b.release),
		Title:    b.source + " " + b.version,
		Platform: patch.Platform{OS: s.vendor, Version: s.config.Version},
		Packages: make([]patch.Package, len(b.packages)),
		Reversal: patch.ReversalReinstall,
		Native:   map[string]string{"source": b.source, "sourceVersion": b.version},
	}
	if b.phased != "" {
		p.Native["phasedUpdatePercentage"] = b.phased
	}
	var offered []string // in the order of the configuration
	for i := range b.packages {
		p.Packages[i] = b.packages[i].Package
		for _, file := range p.Packages[i].Artefacts {
			p.Size += file.Size
		}
		if strings.HasPrefix(p.Packages[i].Name, "linux-image-") {
			p.Reboot = patch.RebootMaybe
		}
		for _, name := range p.Packages[i].Origins {
			if !slices.Contains(offered, name) {
				offered = append(offered, name)
			}
		}
	}
	p.Classification, p.ClassificationRaw = l.classify(offered)
	return p
}

// classify returns the classification that origins lead to, and those that decided.
func (l *listing) classify(offered []string) (patch.Classification, []string) {
	var security, release []string
	for _, o := range l.origins {
		name := o.name[0]
		switch {
		case !slices.Contains(offered, name):
		case o.security:
			security = append(security, name)
		case name == l.source.config.Codename, name == l.source.config.Codename+"-updates":
			release = append(release, name)
		}
	}
	switch {
	case len(security) > 0:
		return patch.ClassSecurity, security
	case len(release) > 0:
		return patch.ClassBugfix, release
	}
	return patch.ClassUnknown, offered
}
