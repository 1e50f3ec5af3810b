// Package csaf makes patches out of security advisories and VEX documents in the Common Security Advisory Framework, CSAF
// 2.0 (and what 2.1 has in common with it), as Red Hat, SUSE, Microsoft and others publish them.
//
// One patch is one document: "csaf:redhat.com/RHSA-2022:0011", the host of the publisher's namespace without "www." and the
// document's tracking ID, which CSAF makes unique within the namespace.
//
// # What becomes of a product status
//
//   - fixed, first_fixed and recommended (in which SUSE lists its fixes): a package whose Fixed is that version.
//   - known_affected, first_affected and last_affected, if the document has no fix for the same package: an open package, for
//     which no fix is known. One version is an open package of just that version.
//   - known_not_affected: [patch.Patch.Unaffected]. An exemption covers all versions of a package and all its
//     architectures, and so a statement makes one only if it names no version, no architecture and no module stream, and if
//     the document says nothing else of the same package. See [Config.AnyVersion].
//   - under_investigation: nothing. Whether such a package is affected is unknown, and stays so: neither is it named as
//     affected nor exempted. Native counts these products ("underInvestigation").
//
// A product that stands in two of these groups for one vulnerability is an error, and the less favourable one counts, in
// the order affected, under investigation, fixed, not affected.
//
// Minor releases that share a platform, as 9.2 and 9.3 share Red Hat's "enterprise_linux:9::appstream", may have fixes of their
// own in one document: the package is then named with each of them, and what is below the highest counts as missing.
//
// What is exempted from one of several vulnerabilities of a document is told by a patch of its own, which has the ID of the
// document, a "#" and the CVE, and no packages. A document that says none of this of any product makes no patch.
//
// # What the documents do not say
//
// How a fix can be taken back, its size and its files are not said, nor whether it needs a restart, unless a remediation
// has restart_required. A purl or the name of an RPM tells name, version and architecture; what has neither keeps the
// words of its branches in the scheme [Raw], which compares with nothing, so that whether a device needs it is unknown. A
// fixed product without a version is left out and counted in Native ("withoutVersion"). Signatures and checksums beside
// the documents are not verified here: whoever fetches them has to.
package csaf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// Raw is the scheme of versions whose order is not known.
const Raw version.Scheme = "csaf"

// Config says what a [Source] reads: exactly one of Document and Folder.
type Config struct {
	Document source.Opener // one document

	// Folder is a folder of documents: all files in it and below whose names end in .json, without provider-metadata.json.
	//
	// Four files of a provider are honoured if they are there: index.txt names the documents to read; changes.csv says
	// when each last changed, so that a query with Since opens no others; deletions.csv says which are withdrawn, and
	// when; provider-metadata.json says who the publisher is, and documents of others are refused unless it lists them
	// as an aggregator.
	Folder fs.FS

	Name string // what errors call Document; "" means "document"

	// Ecosystem says whose names and versions those of a product are; nil means [Ecosystem]. A product for which it
	// returns "" is left out.
	Ecosystem func(Place) string

	// AnyVersion takes it for all versions and architectures of a package that one of them is not affected, as Red Hat
	// means it for those packages of an erratum that do not hold the vulnerable code. Without it such a statement is
	// counted in Native ("notAffectedVersions") and exempts nothing.
	AnyVersion bool

	Limits source.Limits // Records counts documents; Bytes is for each, 64 MiB if zero
}

// A Place is where a package stands: what is installed, on which platform, in whose words.
type Place struct {
	Publisher string  // the host of the namespace, without "www.": "redhat.com"
	Platform  Product // what the component is a part of; zero if it stands alone
	Component Product
}

// A Product is an entry of a product tree.
type Product struct {
	ID   string // means nothing outside the document
	Name string
	CPE  string // URI binding or 2.3; "" if there is none
	PURL string // "" if there is none
}

// A Source lists the patches that documents tell of. It is safe for concurrent use and reads its files anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if (config.Document == nil) == (config.Folder == nil) {
		wrong = multierror.Append(wrong, errors.New("csaf: config: want exactly one of Document and Folder"))
	}
	if config.Name == "" {
		config.Name = "document"
	}
	if config.Ecosystem == nil {
		config.Ecosystem = Ecosystem
	}
	if config.Limits.Bytes <= 0 {
		config.Limits.Bytes = 64 << 20
	}
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come document by document, in the order of index.txt or by file name.
//
// An error that wraps [patch.ErrRecord] names the file and, where one is at fault, the number of the vulnerability, from
// 1. A document that is no JSON, is too large, lacks what makes its ID, or is a draft is refused as a whole; so is one
// whose ID stood in an earlier document. A product that is not defined, or a score that cannot be read, is told, and the patch
// follows without it. A file that cannot be opened or read ends the listing.
//
// Classification is [patch.ClassSecurity] for the categories csaf_security_advisory and csaf_vex, and unknown for
// others. Severity is that of the document, or the worst of its vulnerabilities. Released and Modified are the initial and
// the current release date.
//
// What of q.Since was neither released nor modified is left out. Platforms narrow nothing: their names are not
// those of CSAF.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		l := &listing{config: &s.config, query: q, yield: yield, seen: make(map[patch.ID]string)}
		if err := l.read(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(patch.Patch{}, err)
		}
	}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// A listing is the state of one call of Patches.
type listing struct {
	config *Config
	query  patch.Query
	yield  func(patch.Patch, error) bool
	seen   map[patch.ID]string // in which file
	folder folder
}

func (l *listing) read(ctx context.Context) error {
	if l.config.Document != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.document(l.config.Name, l.config.Document); err != nil {
			return err
		}
		return ctx.Err()
	}
	names, err := l.open()
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i == l.config.Limits.Max() {
			return fmt.Errorf("csaf: %s: more than %d documents: %w", name, i, source.ErrTooLarge)
		}
		if err := l.document(name, source.File(l.config.Folder, name)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// bad yields the error of one record.
func (l *listing) bad(where string, err error) error {
	if !l.yield(patch.Patch{}, source.Bad("csaf: "+where, err)) {
		return errStopped
	}
	return nil
}

// refuse yields the error of a document, unless its file could not be read: that ends the listing.
func (l *listing) refuse(name string, err error) error {
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		return fmt.Errorf("csaf: %s: %w", name, unreadable.err)
	}
	return l.bad(name, err)
}

// document reads one file and yields what it tells.
func (l *listing) document(name string, open source.Opener) error {
	d, err := l.parse(open)
	if err != nil {
		return l.refuse(name, err)
	}
	id := d.id()
	if other, found := l.seen[id]; found {
		return l.bad(name, fmt.Errorf("%s stands in %s already", id, other))
	}
	l.seen[id] = name
	if err := l.folder.trusts(d); err != nil {
		return l.bad(name, err)
	}
	r := &reading{config: l.config, document: d}
	r.begin()
	if err := l.vulnerabilities(open, r.add); err != nil {
		return l.refuse(name, err)
	}
	patches := r.patches()
	for _, p := range r.problems {
		if err := l.bad(name+p.where, p.err); err != nil {
			return err
		}
	}
	for i := range patches {
		p := &patches[i]
		if deleted := l.folder.deleted[name]; !deleted.IsZero() && deleted.After(l.folder.changed[name]) {
			p.Withdrawn = deleted
			p.Modified = latest(p.Modified, deleted)
		}
		if q := l.query.Since; !q.IsZero() && p.Released.Before(q) && p.Modified.Before(q) {
			continue
		}
		if !l.yield(*p, nil) {
			return errStopped
		}
	}
	return nil
}
