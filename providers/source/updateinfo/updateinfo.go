// Package updateinfo makes patches out of the advisories that RPM repositories publish: the file updateinfo.xml that the
// index repomd.xml of a repository points to, such a file alone, or the errata of AlmaLinux in JSON. So it reads what
// AlmaLinux, Rocky Linux, Red Hat, Oracle, Amazon, Fedora, EPEL, SUSE and openSUSE publish for dnf, yum and zypper.
//
// One patch is one advisory: "updateinfo:AlmaLinux:9/ALSA-2024:0387" is the advisory of that name for that ecosystem. The
// name of the ecosystem is part of the ID because publishers use one name for several releases; a blank in it becomes
// an underscore. The same advisory in several repositories is one patch, whose packages say in which of them they are.
//
// The package reads what an opener gives it, plain or compressed (gzip, xz, zstd, bzip2), and never fetches anything itself.
// What repomd.xml lists is verified against the sizes and checksums that stand there. The signature of repomd.xml is
// not: whoever opens it has to.
//
// The XML is that of createrepo_c and libsolv, which have no schema but their code. Entities of a document type are
// refused, and so is the declaration of one.
package updateinfo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// ErrNoAdvisories is wrapped by the error for a repository whose repomd.xml lists no updateinfo: nothing can be said of
// what is installed from it. Leave such a repository out where that is known.
var ErrNoAdvisories = errors.New("the repository has no advisories")

// ErrUnverified is wrapped by the error for a file that is not what repomd.xml says, or of which repomd.xml says too little
// to tell: no checksum, or one that can be forged (MD5, SHA-1). A file that was verified in another way can be read
// through [Repository.Updateinfo].
var ErrUnverified = errors.New("file cannot be verified")

// A Repository is a place where advisories are. Name is required, and exactly one of Open, Updateinfo and Errata.
type Repository struct {
	Name string // what devices and reports call it, in one word: "baseos", "appstream"

	// Open opens a file of the repository by its path from the top, "repodata/repomd.xml" first. See [Folder].
	Open func(name string) (io.ReadCloser, error)

	// Packages reads the repository's list of packages (primary) too: it says of the packages of advisories where their
	// files are, how large they are, and what their hashes are. Only with Open.
	Packages bool

	Updateinfo source.Opener // an updateinfo.xml without an index: nothing is verified
	Errata     source.Opener // errata of AlmaLinux in JSON ("errata.full.json"): nothing is verified
}

// Folder returns what [Repository.Open] is for a repository that lies in fsys, with the folder "repodata" at its top.
func Folder(fsys fs.FS) func(name string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) { return fsys.Open(name) }
}

// Config says what a [Source] reads. Ecosystem and at least one repository are required.
type Config struct {
	Ecosystem string         // whose names and versions the packages are, as OSV spells it: "AlmaLinux:9", "Rocky Linux:9"
	Platform  patch.Platform // what devices the patches are for: "almalinux", "9"; zero for any

	Repositories []Repository

	Limits source.Limits // Records counts advisories, their packages and their references
}

// A Source lists the patches of one ecosystem. It is safe for concurrent use and reads its repositories anew at every call.
type Source struct {
	config Config
	prefix string // of IDs
}

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names every field that is missing or wrong.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	fail := func(format string, args ...any) {
		wrong = multierror.Append(wrong, fmt.Errorf("updateinfo: config: "+format, args...))
	}
	if config.Ecosystem == "" || strings.ContainsAny(config.Ecosystem, "/\t\r\n") {
		fail("Ecosystem is %q: want one such as AlmaLinux:9", config.Ecosystem)
	}
	if len(config.Repositories) == 0 {
		fail("no Repositories")
	}
	config.Repositories = slices.Clone(config.Repositories)
	for i, r := range config.Repositories {
		if !isName(r.Name) {
			fail("Repositories[%d]: Name is %q: want one word", i, r.Name)
		}
		if slices.ContainsFunc(config.Repositories[:i], func(o Repository) bool { return o.Name == r.Name }) {
			fail("Repositories[%d]: %s stands twice", i, r.Name)
		}
		given := 0
		for _, set := range []bool{r.Open != nil, r.Updateinfo != nil, r.Errata != nil} {
			if set {
				given++
			}
		}
		if given != 1 {
			fail("Repositories[%d] (%q): want one of Open, Updateinfo and Errata", i, r.Name)
		}
		if r.Packages && r.Open == nil {
			fail("Repositories[%d] (%q): Packages needs Open", i, r.Name)
		}
	}
	return &Source{config: config, prefix: "updateinfo:" + strings.ReplaceAll(config.Ecosystem, " ", "_") + "/"}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come sorted by ID.
//
// An advisory, or a package of one, that cannot be used is yielded as an error that wraps [patch.ErrRecord] and names
// repository, file, line (in JSON: record) and advisory. A patch is whole only when every repository has been read, so these
// errors come before the first patch, and a repository that cannot be read to its end, or is not what its index says,
// leaves nothing but its error.
//
// Of an advisory that stands several times, what was changed last counts; packages, references and CVEs are united. Where
// two were changed at the same time, or do not say when, and differ in title, type, severity or status, an error tells, and
// the greater severity counts; a difference of type or status makes the patch Contested. The same package with two different
// hashes is an error too, and left without its file.
//
// Classification and Severity are those of [source.Classification] and [source.Severity]; ClassificationRaw and SeverityRaw
// keep the words. CVEs are the references of type "cve" and, as Fedora has no others, those that titles of references
// to bug trackers name. An advisory that is "retracted" is Withdrawn, at its last change (1970 if it has no date).
// Released is when it was issued, Modified when it was updated. A date that cannot be read is zero, and kept in Native, where
// the publisher's status, version and release of the advisory stand too.
//
// Packages holds what can be installed, so no source packages; the module stream of a collection is that of its packages.
// An advisory may have none. Fixed is written without an epoch of zero. Files come from the advisory, or from the list of
// packages if [Repository.Packages] asks for it; only then Size can be known.
//
// Reboot is always if the advisory or one of its packages suggests a restart of the system (reboot_suggested, with any
// text but "false", "no" and "0", empty as well). It is maybe if a restart of services or sessions is suggested
// (restart_suggested, relogin_suggested), which a restart of the system makes sure of, and for kernels, whose effect
// begins with the next boot. Otherwise it is unknown: publishers write "false" for kernels too. Reversal is reinstall: dnf
// and zypper go back to an older version, if a repository still has it.
//
// A patch whose dates are all before q.Since is left out. A platform that is not the source's ends the listing before
// anything is opened.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		if !s.asked(q) {
			return
		}
		l := &listing{source: s, yield: yield, alive: ctx.Err, advisories: make(map[string]*advisory), words: make(map[string]string)}
		for i := range s.config.Repositories {
			if err := l.readRepository(i); err != nil {
				l.end(err)
				return
			}
		}
		l.patches(q)
	}
}

// asked says whether any platform of q may be the source's.
func (s *Source) asked(q patch.Query) bool {
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, s.fits)
}

// fits compares all but the architecture. "9.4" is a minor release of "9".
func (s *Source) fits(p patch.Platform) bool {
	mine := s.config.Platform
	if p.OS != "" && mine.OS != "" && p.OS != mine.OS {
		return false
	}
	return p.Version == "" || mine.Version == "" || p.Version == mine.Version ||
		strings.HasPrefix(p.Version, mine.Version+".") || strings.HasPrefix(mine.Version, p.Version+".")
}
