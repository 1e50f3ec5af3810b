// Package msrc makes patches out of what the Microsoft Security Response Center publishes: its monthly CVRF documents
// (version 3 of its API, JSON or XML), and tables of which KB supersedes which.
//
// One patch is one KB: "msrc:KB5055523", which is also what a device can name that says itself what it misses. A fix
// without a KB is one patch for each product and build: "msrc:12309=17.9.3". All documents together make the patch: several
// months, vulnerabilities and products name the same KB.
//
// # How a device is matched
//
// A KB of Windows itself whose FixedBuild has the four parts of an OS build, "10.0.22631.4317", is a package called
// [OS] of the ecosystem [Windows]: needed from the first build of the branch, 10.0.22631.0, up to the fixed build. So it is the
// installed build that decides, and no list of KBs. Client and server systems of one branch share their builds, and
// hot patches count in the same numbers: where the device's own update agent judges, believe that one.
//
// Any other version ("17.9.3" of Visual Studio) is a package of the ecosystem [Microsoft] under the product's name with its
// version as written, in a scheme that compares with nothing: MSRC does not say how these versions are ordered, and
// whether a device needs the patch is unknown. A FixedBuild that is a URL is no version, and a KB without a version has
// no package at all: then only the device itself can say that it misses the patch.
//
// # What the documents do not say
//
// Whether an update can be removed, how large it is and where its files are is not said. Supersedence is incomplete; what
// is not listed is unknown. It is told for one product at a time, and kept for the KB as a whole. A KB has no day of its own: Released is the day on which the first document or row that names
// it was published. The table has no classification, restart or product versions; whether a public exploit exists,
// which it tells by links, is not whether one was used.
package msrc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

const (
	// Windows is the ecosystem of operating system builds: a scan lists the installed one as version 10.0.22631.4317
	// of the package [OS], in the scheme [version.Windows].
	Windows = "Windows"

	// OS is the name of the operating system's own package.
	OS = "Windows"

	// Microsoft is the ecosystem of all other products, under MSRC's names.
	Microsoft = "Microsoft"

	// Raw is the scheme of versions whose order is not known.
	Raw version.Scheme = "msrc"
)

// A Document is one CVRF document, of one month as a rule: JSON or XML, plain or compressed.
type Document struct {
	Name string // for errors: "2024-Mar"
	Open source.Opener
}

// Config says what a [Source] reads: one document, or the table, at least.
type Config struct {
	Documents []Document

	// Supersedence opens a table of what supersedes what: CSV with the columns BulletinKB and Supersedes, and, as far as
	// they are there, CVE, Title, Severity, DatePosted and AffectedProduct, as the "Windows Exploit Suggester - Next
	// Generation" publishes it. Nil for none.
	Supersedence source.Opener

	Limits source.Limits // Records counts vulnerabilities and rows; Bytes is for each file
}

// A Source lists what MSRC publishes. It is safe for concurrent use and reads its files anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names everything that is missing.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if len(config.Documents) == 0 && config.Supersedence == nil {
		wrong = multierror.Append(wrong, errors.New("msrc: config: neither Documents nor Supersedence"))
	}
	for i, d := range config.Documents {
		if d.Name == "" || d.Open == nil {
			wrong = multierror.Append(wrong, fmt.Errorf("msrc: config: Documents[%d] (%q): Name and Open are required", i, d.Name))
		}
	}
	config.Documents = slices.Clone(config.Documents)
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come sorted by ID.
//
// A patch is whole only when all files have been read, so errors come before the first patch. One that wraps
// [patch.ErrRecord] names the document with the number of the vulnerability and of the remediation, from 1, or the line
// of the table. A remediation is refused that names neither a KB nor a version; of the table, a value of BulletinKB that is
// no KB ("Release Notes", "mysql"), once. Rows without KB, which speak of vulnerabilities alone, are passed over. A document
// that is not well-formed to its end ends the listing.
//
// Classification is what the SubTypes say: "Security Update", "Security Only" and "IE Cumulative" are
// [patch.ClassSecurity], "Monthly Rollup" is [patch.ClassRollup]. A KB with SubTypes that differ in that is contested.
// Severity is the worst that any of its vulnerabilities has for a product that the KB is for. Supersedes holds what the
// publisher says, even that a KB supersedes itself: catalogs ignore that.
//
// What of q.Since was neither released nor modified is left out; Modified is the day of the last revision of a
// vulnerability that the KB closes. Platforms narrow nothing, as a patch names none: one KB goes to clients and servers, which
// products do not call the same.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		l := &listing{config: &s.config, updates: make(map[patch.ID]*update), refused: make(map[string]bool)}
		l.tell = func(err error) error {
			if !yield(patch.Patch{}, err) {
				return errStopped
			}
			return nil
		}
		if err := l.read(ctx); err != nil {
			if !errors.Is(err, errStopped) {
				yield(patch.Patch{}, err)
			}
			return
		}
		for _, id := range slices.Sorted(maps.Keys(l.updates)) {
			if err := ctx.Err(); err != nil {
				yield(patch.Patch{}, err)
				return
			}
			if p := l.updates[id].patch(); asked(&p, q) && !yield(p, nil) {
				return
			}
		}
	}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// asked says whether q asks for p.
func asked(p *patch.Patch, q patch.Query) bool {
	return q.Since.IsZero() || !p.Released.Before(q.Since) || !p.Modified.Before(q.Since)
}

// A listing is the state of one call of Patches.
type listing struct {
	config  *Config
	tell    func(error) error
	updates map[patch.ID]*update
	refused map[string]bool // values of BulletinKB that are no KB
	records int
}

func (l *listing) read(ctx context.Context) error {
	for i := range l.config.Documents {
		if err := l.document(ctx, &l.config.Documents[i]); err != nil {
			return err
		}
	}
	if l.config.Supersedence == nil {
		return nil
	}
	return l.table(ctx)
}

// count counts a record, and fails at the first that is too many.
func (l *listing) count(ctx context.Context) error {
	if l.records++; l.records > l.config.Limits.Max() {
		return fmt.Errorf("more than %d records: %w", l.config.Limits.Max(), source.ErrTooLarge)
	}
	if l.records%256 == 1 {
		return ctx.Err()
	}
	return nil
}

// update returns the patch of an ID, which it makes if there is none.
func (l *listing) update(id patch.ID) *update {
	u := l.updates[id]
	if u == nil {
		u = &update{id: id, advisories: make(map[string]*advisory)}
		l.updates[id] = u
	}
	return u
}
