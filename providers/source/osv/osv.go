// Package osv makes patches out of OSV records (ossf.github.io/osv-schema, version 1.7): the advisories of distributions and
// of language ecosystems, as osv.dev and their publishers export them.
//
// It reads single records, JSON lines, a zip of records (the all.zip of an ecosystem) and folders of such files, plain or
// compressed, and holds one record at a time. It fetches nothing and verifies no signature.
//
// One patch is one record: "osv:ALSA-2025:10073". A record tells which versions of a package need it, and so tells holes
// without a fix too. How its parts are read:
//
//   - A range (ECOSYSTEM or SEMVER) becomes an entry for each stretch of affected versions in it. Its events stand in any
//     order, and are put into that of the ecosystem; pairs of them that overlap are kept whole, which OSV's own algorithm does
//     not. One that ends with last_affected has no fixed version. A limit counts as the version from which on nothing is
//     affected.
//   - A version that is listed, and lies in no range, becomes an entry of its own.
//   - With neither ranges nor versions every version is affected.
//   - A range of commits (GIT) is left out where there is anything else. Where there is not, its entry has the scheme
//     "git", which compares with nothing: the device is unknown, not clean.
//   - The ecosystem decides how versions are ordered. Of one whose order package version does not know, entries have a
//     scheme of its name ("maven"), which compares with nothing either. So has a version that is none.
//   - Debian, Ubuntu, Alpine, Rocky Linux, SUSE, openSUSE, openEuler, Mageia and Azure Linux name source packages, and their
//     entries are for whatever is built from them. The binary packages that Ubuntu and SUSE list with their versions have
//     entries beside. All others name what is installed. An affected part that names no package at all, as those with
//     commits of a repository do, makes no entry.
//   - In AlmaLinux, Rocky Linux and Red Hat the title names the module stream ("nodejs:18 security update"): it goes to the
//     packages that were built for a module. Where it names none or two, or a package is fixed in two versions, the stream stays
//     unknown.
//
// CVEs are those among the aliases and in upstream, the record's own name, and, for distributions, those in related.
//
// What OSV does not say stays unknown: whether a restart is needed, what a record supersedes, how it is taken back, sizes and
// files. Most distributions give no word for the severity; then it is that of the highest CVSS score of version 3 or 4, and
// without one it is unrated. Red Hat's and SUSE's ecosystems are products ("Red Hat:enterprise_linux:9::appstream"), of which
// a device has several; which ones, no record says: see [Config].Ecosystem. The data for Rocky Linux leaves packages out of
// some records. Whether a kernel was patched while it ran (LSN records of Ubuntu) does not show in its version.
package osv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// An Input is a file of records or a folder of such files. Exactly one of Open and Folder is set.
type Input struct {
	Name string // for errors: "all.zip"

	// Open opens one record, records one after the other (JSON lines among them), or a zip of records; what it is, its
	// first bytes tell. All but the zip may be compressed. A zip is read where it lies if what is opened is an io.ReaderAt
	// whose size can be told by Stat or Seek, as an *os.File is; otherwise it is held in memory.
	Open source.Opener

	// Folder is read with all folders in it, by the names of the files: one record in each .json, records one after the
	// other in each .jsonl and .ndjson, either also with .gz, .xz or .zst, and a zip in each .zip. Other files are left alone.
	Folder fs.FS
}

// Config says what a [Source] reads. At least one input is required.
type Config struct {
	Inputs []Input

	// Ecosystem returns how devices call an ecosystem that records call written: "Ubuntu:22.04" for "Ubuntu:22.04:LTS".
	// Nil, and "" as a result, keep it as written. It must be safe for concurrent use.
	Ecosystem func(written string) string

	Record int64 // how many bytes a record may have; 4 MiB
	Buffer int64 // how many bytes a zip may have that has to be held in memory; 256 MiB

	// Limits bound each file, and a zip with all that is in it as one file: Bytes and Ratio count what comes out of it.
	Limits source.Limits
}

// A Source lists the patches of OSV records. It is safe for concurrent use and reads its inputs anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names every input that is wrong.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if len(config.Inputs) == 0 {
		wrong = multierror.Append(wrong, errors.New("osv: config: no Inputs"))
	}
	for i, in := range config.Inputs {
		if (in.Open == nil) == (in.Folder == nil) {
			wrong = multierror.Append(wrong, fmt.Errorf("osv: config: Inputs[%d] (%q): either Open or Folder is required", i, in.Name))
		}
	}
	config.Inputs = slices.Clone(config.Inputs)
	if config.Record <= 0 {
		config.Record = 4 << 20
	}
	if config.Buffer <= 0 {
		config.Buffer = 256 << 20
	}
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come in the order of the inputs, and in a folder by the names of the files.
//
// Records that have one ID, as some do that lie in the folders of two years, are one patch: the one that was modified last,
// of equal ones the first. To know it, the inputs are read twice, and the IDs are held in memory, about 100 bytes each. An
// input that changes between the two readings ends the listing with an error.
//
// A record that cannot be used is yielded as an error that wraps [patch.ErrRecord] and names its input, and its number and
// line or its file. One that is too large also wraps [source.ErrTooLarge]. An input that cannot be read to its end leaves
// nothing but its error: one that ends in the middle of a record, for instance, unless it is a file of a folder or of
// a zip that holds only that record.
//
// Classification is security, but for the advisories that distributions publish for corrections and enhancements, as their
// names say (ALBA, ALEA, RHBA, SUSE-RU, ...). One of those that names CVEs all the same is contested.
//
// A record is for the release of the distribution that all its packages are for. A query for other platforms leaves it out.
// q.Since compares with when a record was published or modified; one that does not say is listed.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		stopped := false
		err := s.list(ctx, q, func(p patch.Patch, err error) bool {
			stopped = !yield(p, err)
			return !stopped
		})
		if err != nil && !stopped {
			yield(patch.Patch{}, err)
		}
	}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// A newest is the record of an ID that was modified last: its place among all records, from 1.
type newest struct {
	modified time.Time
	place    int
}

func (s *Source) list(ctx context.Context, q patch.Query, yield func(patch.Patch, error) bool) error {
	ids := make(map[string]newest)
	place := 0
	err := s.each(ctx, func(f file) error {
		place++
		if f.err != nil {
			return nil // told below
		}
		id, modified, err := identify(f.data)
		if err != nil {
			return nil
		}
		if n, found := ids[id]; !found || modified.After(n.modified) {
			ids[id] = newest{modified, place}
		}
		return nil
	})
	if err != nil {
		return err
	}
	total, done := place, 0
	place = 0
	err = s.each(ctx, func(f file) error {
		place++
		p, id, err := s.read(&f)
		if id != "" {
			if ids[id].place != place {
				return nil
			}
			done++
		}
		if err != nil {
			err = source.Bad(f.where(), err)
		} else if !wanted(&p, q) {
			return nil
		}
		if !yield(p, err) {
			return errStopped
		}
		return nil
	})
	if err == nil && (place != total || done != len(ids)) {
		err = fmt.Errorf("osv: the inputs have changed while they were read: %d records and now %d, of %d IDs %d", total, place, len(ids), done)
	}
	return err
}

// read makes a patch of a record. With an error too it returns the ID, if that can be read and the first reading had it.
func (s *Source) read(f *file) (p patch.Patch, id string, err error) {
	if f.err != nil {
		return patch.Patch{}, "", f.err
	}
	r, err := decode(f.data)
	if err != nil {
		id, _, _ = identify(f.data)
		return patch.Patch{}, id, err
	}
	p, err = s.patch(r)
	return p, r.ID, err
}

// wanted says whether q asks for p, or may.
func wanted(p *patch.Patch, q patch.Query) bool {
	if !q.Since.IsZero() && !p.Modified.IsZero() && p.Modified.Before(q.Since) && p.Released.Before(q.Since) {
		return false
	}
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(o patch.Platform) bool {
		return (p.Platform.OS == "" || o.OS == "" || p.Platform.OS == o.OS) &&
			(p.Platform.Version == "" || o.Version == "" || begins(p.Platform.Version, o.Version) || begins(o.Version, p.Platform.Version))
	})
}

// begins says whether the version of a platform, as "12.11", begins with short, dot by dot.
func begins(long, short string) bool {
	rest, found := strings.CutPrefix(long, short)
	return found && (rest == "" || rest[0] == '.')
}
