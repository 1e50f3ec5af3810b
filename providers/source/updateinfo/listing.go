package updateinfo

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// errStop ends a listing whose caller wants no more.
var errStop = errors.New("stopped")

// A listing is the work of one call of Patches.
type listing struct {
	source     *Source
	yield      func(patch.Patch, error) bool
	alive      func() error // the error of the caller's context
	records    int
	advisories map[string]*advisory
	files      map[fileKey]*file // of the packages of repositories whose list of packages is read
	words      map[string]string // one copy of each name
}

// An advisory is a patch in the making.
type advisory struct {
	patch    patch.Patch // without packages
	advisory patch.Advisory
	where    string    // of the record that counts
	stamp    time.Time // when that was changed; zero if unknown
	offers   []offer
}

// An offer is a package of an advisory in one repository.
type offer struct {
	patch.Package
	repository int
	where      string
}

// A fileKey names a package in a repository.
type fileKey struct {
	repository          int
	name, arch, version string
}

// A file is what a list of packages says of a package.
type file struct {
	patch.Artefact
	found bool
}

// end yields the error that ends a listing.
func (l *listing) end(err error) {
	if !errors.Is(err, errStop) {
		l.yield(patch.Patch{}, err)
	}
}

// record yields an error about one record.
func (l *listing) record(where string, err error) error {
	if !l.yield(patch.Patch{}, fmt.Errorf("updateinfo: %w", source.Bad(where, err))) {
		return errStop
	}
	return nil
}

// count counts one more record.
func (l *listing) count() error {
	if l.records++; l.records > l.source.config.Limits.Max() {
		return fmt.Errorf("more than %d records: %w", l.source.config.Limits.Max(), source.ErrTooLarge)
	}
	return nil
}

// word returns one and the same copy of a text that stands in many places.
func (l *listing) word(s string) string {
	if known, found := l.words[s]; found {
		return known
	}
	s = strings.Clone(s)
	l.words[s] = s
	return s
}

// readRepository reads all that the configuration wants of one repository.
func (l *listing) readRepository(i int) error {
	if err := l.alive(); err != nil {
		return err
	}
	r := &l.source.config.Repositories[i]
	switch {
	case r.Open != nil:
		return l.readIndexed(i)
	case r.Errata != nil:
		return l.readFile(i, r.Name, r.Errata, l.readErrata)
	}
	return l.readFile(i, r.Name, r.Updateinfo, l.readUpdates)
}

// readFile reads a file that no index describes.
func (l *listing) readFile(i int, name string, open source.Opener, read func(in io.Reader, repository int, file string) error) error {
	in, err := l.source.config.Limits.Open(open)
	if err != nil {
		return fmt.Errorf("updateinfo: %s: %w", name, err)
	}
	defer in.Close()
	return l.failed(name, read(in, i, name))
}

// failed says which file an error is about, unless it is the caller's own.
func (l *listing) failed(name string, err error) error {
	if done := l.alive(); done != nil {
		return done
	}
	if err == nil || errors.Is(err, errStop) {
		return err
	}
	return fmt.Errorf("updateinfo: %s: %w", name, err)
}

// add takes a record up.
func (l *listing) add(r *record) error {
	if !isID(r.id) {
		return l.record(r.where, fmt.Errorf("its ID is %q", abbreviate(r.id)))
	}
	r.where += ": " + r.id
	next := l.advisory(r)
	for i := range r.packages {
		p := &r.packages[i]
		if p.arch == "src" || p.arch == "nosrc" {
			continue
		}
		o, err := l.offer(r, p)
		if err != nil {
			if err := l.record(r.where+": "+p.where, fmt.Errorf("package %q: %w", abbreviate(p.name), err)); err != nil {
				return err
			}
		}
		if o.Name != "" {
			next.offers = append(next.offers, o)
		}
	}
	known := l.advisories[r.id]
	if known == nil {
		l.advisories[r.id] = next
		return nil
	}
	if err := known.merge(next); err != nil {
		return l.record(next.where, err)
	}
	return nil
}

// advisory returns what a record says, but for its packages.
func (l *listing) advisory(r *record) *advisory {
	a := &advisory{
		where: r.where,
		patch: patch.Patch{
			ID:             patch.ID(l.source.prefix + r.id),
			Title:          r.title,
			Platform:       l.source.config.Platform,
			Classification: source.Classification(r.kind),
			Severity:       source.Severity(r.severity),
			SeverityRaw:    l.word(r.severity),
			Reversal:       patch.ReversalReinstall,
			Native:         make(map[string]string),
		},
		advisory: patch.Advisory{ID: r.id},
	}
	if a.patch.Title == "" {
		a.patch.Title = r.id
	}
	if r.kind != "" {
		a.patch.ClassificationRaw = []string{l.word(r.kind)}
	}
	switch {
	case r.reboot:
		a.patch.Reboot = patch.RebootAlways
	case r.restart:
		a.patch.Reboot = patch.RebootMaybe
	}
	for name, value := range map[string]string{"status": r.status, "from": r.from, "version": r.version, "release": r.release} {
		if value != "" {
			a.patch.Native[name] = l.word(value)
		}
	}
	readable := false
	if a.patch.Released, readable = parseDate(r.issued); !readable {
		a.patch.Native["issued"] = r.issued
	}
	if a.patch.Modified, readable = parseDate(r.updated); !readable {
		a.patch.Native["updated"] = r.updated
	}
	if a.stamp = a.patch.Modified; a.stamp.IsZero() {
		a.stamp = a.patch.Released
	}
	if strings.EqualFold(r.status, "retracted") {
		if a.patch.Withdrawn = a.stamp; a.patch.Withdrawn.IsZero() {
			a.patch.Withdrawn = time.Unix(0, 0).UTC()
		}
	}
	for i := range r.references {
		for _, cve := range r.references[i].cves() {
			if !slices.Contains(a.advisory.CVEs, cve) {
				a.advisory.CVEs = append(a.advisory.CVEs, l.word(cve))
			}
		}
		if href := r.references[i].href; href != "" && !slices.Contains(a.advisory.References, href) {
			a.advisory.References = append(a.advisory.References, href)
		}
	}
	return a
}

// offer returns a package of a record. Its name is "" if the package cannot be used. With an error about its file alone it can
// be used, without the file.
func (l *listing) offer(r *record, p *offered) (offer, error) {
	if !isName(p.name) {
		return offer{}, errors.New("its name is none that a package can have")
	}
	if p.arch != "" && !isName(p.arch) {
		return offer{}, fmt.Errorf("its architecture is %q", abbreviate(p.arch))
	}
	if !isModule(p.module) {
		return offer{}, fmt.Errorf("its module is %q", abbreviate(p.module))
	}
	text, err := evr(p.epoch, p.version, p.release)
	if err != nil {
		return offer{}, fmt.Errorf("its %w", err)
	}
	fixed := version.Version{Scheme: version.RPM, Text: l.word(text)}
	if _, err := fixed.Key(); err != nil {
		return offer{}, err
	}
	o := offer{repository: r.repository, where: p.where, Package: patch.Package{
		Ecosystem: l.source.config.Ecosystem,
		Name:      l.word(p.name),
		Arch:      l.word(p.arch),
		Module:    l.word(p.module),
		Fixed:     fixed,
	}}
	if from := sourceOf(p.src); from != p.name {
		o.Source = l.word(from)
	}
	if l.source.config.Repositories[r.repository].Packages {
		l.files[fileKey{r.repository, o.Name, o.Arch, o.Fixed.Text}] = new(file)
	}
	if p.filename == "" {
		return o, nil
	}
	if err := inside(p.filename); err != nil {
		return o, err
	}
	sum, err := digest(p.sumKind, p.sum)
	if err != nil {
		return o, fmt.Errorf("its %w", err)
	}
	o.Artefacts = []patch.Artefact{{Name: p.filename, Digest: sum}}
	return o, nil
}

// merge unites a with another record of the same advisory. The error tells in what two differ that were changed at one time.
func (a *advisory) merge(b *advisory) error {
	last := b.patch
	var differ []string
	switch {
	case a.stamp.After(b.stamp):
		last = a.patch
	case a.stamp.Equal(b.stamp):
		last, differ = strictest(&a.patch, &b.patch)
	default:
		a.where, a.stamp = b.where, b.stamp
	}
	last.Reboot = max(a.patch.Reboot, b.patch.Reboot)
	last.Released = a.patch.Released
	if last.Released.IsZero() || !b.patch.Released.IsZero() && b.patch.Released.Before(last.Released) {
		last.Released = b.patch.Released
	}
	if last.Modified = a.patch.Modified; last.Modified.Before(b.patch.Modified) {
		last.Modified = b.patch.Modified
	}
	a.patch = last
	a.advisory.CVEs = union(a.advisory.CVEs, b.advisory.CVEs)
	a.advisory.References = union(a.advisory.References, b.advisory.References)
	a.offers = append(a.offers, b.offers...)
	if len(differ) > 0 {
		return fmt.Errorf("it stands at %s too, with %s", a.where, strings.Join(differ, ", "))
	}
	return nil
}

// strictest returns what counts of two records that were changed at the same time, and in what they differ.
func strictest(a, b *patch.Patch) (patch.Patch, []string) {
	result := *a
	result.Native = maps.Clone(a.Native)
	var differ []string
	tell := func(name, mine, theirs string) {
		differ = append(differ, fmt.Sprintf("%s %q, not %q", name, mine, theirs))
	}
	if a.Title != b.Title {
		tell("title", abbreviate(a.Title), abbreviate(b.Title))
	}
	if a.SeverityRaw != b.SeverityRaw {
		tell("severity", a.SeverityRaw, b.SeverityRaw)
		if b.Severity > a.Severity || a.SeverityRaw == "" {
			result.Severity, result.SeverityRaw = b.Severity, b.SeverityRaw
		}
	}
	if !slices.Equal(a.ClassificationRaw, b.ClassificationRaw) {
		tell("type", strings.Join(a.ClassificationRaw, " "), strings.Join(b.ClassificationRaw, " "))
		result.ClassificationRaw = union(a.ClassificationRaw, b.ClassificationRaw)
		result.Contested = result.Contested || a.Classification != b.Classification
		if b.Classification == patch.ClassSecurity || a.Classification == patch.ClassUnknown {
			result.Classification = b.Classification
		}
	}
	if a.Withdrawn.IsZero() != b.Withdrawn.IsZero() {
		tell("status", a.Native["status"], b.Native["status"])
		result.Contested = true
		result.Withdrawn = time.Time{}
	}
	return result, differ
}

// union returns the texts of a, and those of b that are not among them.
func union(a, b []string) []string {
	a = slices.Clip(a)
	for _, text := range b {
		if !slices.Contains(a, text) {
			a = append(a, text)
		}
	}
	return a
}
