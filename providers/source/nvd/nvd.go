// Package nvd reads what NIST's National Vulnerability Database (NVD) says of CVEs, and adds its scores to the advisories that
// name one.
//
// [Read] reads files of the form 2.0 (yearly and "modified" files, or pages of the API) and of the older form 1.1 into a
// [Database], which answers questions about single CVEs ([Database.Record]) and is an enricher:
//
//   - Scores of every version are added beside those that an advisory has, whoever gave them: the NVD itself ("nvd@nist.gov",
//     which it calls primary) or another (secondary), named as the database names it, often by a UUID. Nothing is replaced.
//   - Where neither the publisher of a patch nor that of the advisory rates it, both are rated by the highest score of
//     version 3 or 4; for want of one by the highest of version 2, for which the NVD has no "critical". The word of a publisher
//     stands, whatever the scores say: they rate a hole in general, a publisher rates it in its own product.
//   - CVEs that the database rejects are noted in the native field [NativeRejected] of the patch, and give neither score nor
//     rating. The patch stands: its publisher may have had other reasons.
//
// The products that the database lists (CPE) are not read. Its version ranges are those of upstream, and distributions bring
// fixes to older versions: whoever matched by them would call patched systems vulnerable. The dates on which CISA listed a CVE
// are not read either; see package kev. What has no record, no score, or only a score without a vector, stays unknown. The package
// fetches nothing.
package nvd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// from is what additions are credited to.
const from patch.ID = "nvd:records"

// NativeRejected is the native field of a patch that names, parted by blanks, those of its CVEs that the database rejects.
const NativeRejected = "nvd.rejected"

// Config says what is read. Inputs is required.
type Config struct {
	// Inputs are read in order. Of two records for one CVE the one that was modified later counts, of equal ones the
	// second, so that the file of recent changes may stand anywhere.
	Inputs []Input
	Limits source.Limits
}

// An Input is one file.
type Input struct {
	Name string // for errors; "" means its number
	Open source.Opener
}

// A Record is what the database says of one CVE.
type Record struct {
	CVE       string
	Status    string // its own word: "Analyzed", "Deferred", "Rejected"; "" in the form 1.1 unless it is rejected
	Rejected  bool   // the name is not to be used
	Published time.Time
	Modified  time.Time
	Scores    []patch.Score // of all versions, the oldest first, as they stand there
}

// A Database is what some files say. It is immutable, and safe for concurrent use. The zero Database is empty.
type Database struct {
	records map[string]Record
}

var _ patch.Enricher = (*Database)(nil)

// Len returns the number of records, rejected ones among them.
func (d *Database) Len() int { return len(d.records) }

// Record returns what the database says of a CVE.
func (d *Database) Record(cve string) (Record, bool) {
	r, found := d.records[cve]
	r.Scores = slices.Clone(r.Scores)
	return r, found
}

// All yields the records by the names of their CVEs.
func (d *Database) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.records)) {
			if r, _ := d.Record(name); !yield(r) {
				return
			}
		}
	}
}

// Severity returns the rating that follows from the scores of r: see the comment of the package. It is
// [patch.SeverityUnrated] without a score.
func (r *Record) Severity() patch.Severity {
	var old, young float64
	for _, s := range r.Scores {
		if s.Version == "2.0" {
			old = max(old, s.Base)
		} else {
			young = max(young, s.Base)
		}
	}
	if young > 0 {
		return source.SeverityOfScore(young)
	}
	return min(source.SeverityOfScore(old), patch.SeverityImportant)
}

// Enrich implements [patch.Enricher]. What is added is credited to "nvd:records".
func (d *Database) Enrich(ctx context.Context, catalog *patch.Catalog) ([]patch.Patch, error) {
	known := func(cve string) bool {
		_, found := d.records[cve]
		return found
	}
	return source.Enrich(ctx, catalog, known, func(a *source.Addition) bool {
		changed := false
		var rating patch.Severity
		for _, name := range a.CVEs {
			r := d.records[name]
			if r.Rejected {
				changed = reject(a, name) || changed
				continue
			}
			rating = max(rating, r.Severity())
			for _, s := range r.Scores {
				if !slices.Contains(a.Advisory.Scores, s) {
					a.Advisory.Scores = append(a.Advisory.Scores, s)
					changed = true
					a.Credit("scores", from)
				}
			}
		}
		// Another advisory of the patch may have got its rating just now.
		if rating > 0 && a.Was.Severity == 0 && a.Advisory.Severity == 0 {
			a.Advisory.Severity = rating
			a.Patch.Severity = a.Patch.Worst()
			changed = true
			a.Credit("severity", from)
			a.CreditPatch("severity", from)
		}
		return changed
	})
}

// reject notes that a CVE of a patch is rejected.
func reject(a *source.Addition, cve string) bool {
	names := strings.Fields(a.Patch.Native[NativeRejected])
	if slices.Contains(names, cve) {
		return false
	}
	names = append(names, cve)
	slices.Sort(names)
	a.CreditPatch("native", from)
	return a.Native(NativeRejected, strings.Join(names, " "))
}

// Read reads files, plain or compressed.
//
// There are three outcomes. With err nil the database holds everything that could be read, and refused holds one error for
// each record, or score of a record, that could not, which names the file and the place and wraps [patch.ErrRecord]: it is for
// the caller to decide whether a database without them will do. With err not nil there is no database, because a file could
// not be read to its end; refused holds what was refused until then. A page of the API is read as it is: to have all pages is
// for the caller.
func Read(ctx context.Context, config Config) (d *Database, refused []error, err error) {
	if len(config.Inputs) == 0 {
		return nil, nil, errors.New("nvd: config: Inputs is empty")
	}
	r := reading{Config: config, ctx: ctx, result: &Database{records: make(map[string]Record)}}
	for i, in := range config.Inputs {
		in.Name = cmp.Or(in.Name, fmt.Sprintf("input %d", i+1))
		if in.Open == nil {
			return nil, nil, fmt.Errorf("nvd: config: Inputs[%d].Open is required", i)
		}
		if err := r.read(in); err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("nvd: %s: %w", in.Name, err)
			}
			return nil, r.refused, err
		}
	}
	return r.result, r.refused, nil
}

// A reading is one call of [Read].
type reading struct {
	Config
	ctx     context.Context
	result  *Database
	refused []error
	count   int // records of all inputs
}

func (r *reading) read(in Input) error {
	file, err := r.Limits.Open(in.Open)
	if err != nil {
		return err
	}
	defer file.Close()
	return r.Limits.ReadObject(file, source.Records{
		Arrays: []string{"vulnerabilities", "CVE_Items"},
		Record: func(array string, n int, raw json.RawMessage, bad error) error {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			if r.count++; r.count > r.Limits.Max() {
				return fmt.Errorf("more than %d records: %w", r.Limits.Max(), source.ErrTooLarge)
			}
			parse := parseV2
			if array == "CVE_Items" {
				parse = parseV1
			}
			var record Record
			wrong := []error{bad}
			if bad == nil {
				record, wrong = parse(raw)
			}
			for _, err := range wrong {
				if r.refused, err = r.Limits.Refuse(r.refused, source.Bad(fmt.Sprintf("nvd: %s: record %d", in.Name, n), err)); err != nil {
					return err
				}
			}
			if record.CVE == "" {
				return nil
			}
			if known, found := r.result.records[record.CVE]; !found || !record.Modified.Before(known.Modified) {
				r.result.records[record.CVE] = record
			}
			return nil
		},
	})
}
