// Package wua makes patches, and an inventory's list of what is missing, out of what a search of the Windows Update Agent
// found on a device.
//
// A product's own agent makes the search (IUpdateSearcher.Search) and sends its result as JSON: an object with At, Criteria,
// ResultCode, RebootRequired and Updates, whose members are objects with the properties of IUpdate and its successors
// under their own names, as [Read] describes. Nothing here needs Windows.
//
// One patch is one update: "wua:" and its UpdateID in lower case, without revision, as other updates name it when they
// supersede it. Of several revisions the highest counts. Whether a device needs an update is the verdict of its own agent,
// never a comparison of versions, and so these patches have no packages: [Result.Scan] says what the device misses.
//
// # What a result does not say
//
// When an update was first published (LastDeploymentChangeTime is the last change), whether its holes are exploited, and
// scores. MsrcSeverity and CveIDs are empty for most updates: that is unknown, not harmless. A property that the agent
// could not read, or that has an unexpected shape, is unknown, and Native says so under "error." and its name.
//
// Titles and names of categories are in the language of the device; the names in ClassificationRaw are English where the
// category is known by its GUID. Tested with results that were written by hand after Microsoft's documentation.
package wua

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A File is the result of one search, of one device.
type File struct {
	Name string // for errors
	Open source.Opener
}

// Config says what a [Source] reads: at least one file.
type Config struct {
	Results []File
	Limits  source.Limits // Records counts updates
}

// A Source lists the updates that searches found. It is safe for concurrent use and reads its files anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names everything that is missing.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if len(config.Results) == 0 {
		wrong = multierror.Append(wrong, errors.New("wua: config: no Results"))
	}
	for i, f := range config.Results {
		if f.Name == "" || f.Open == nil {
			wrong = multierror.Append(wrong, fmt.Errorf("wua: config: Results[%d] (%q): Name and Open are required", i, f.Name))
		}
	}
	config.Results = slices.Clone(config.Results)
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come sorted by ID, as [Update.Patch] makes them; of an update that stands in
// several results, the highest revision, in the first file that has it.
//
// All results are read before the first patch. An update that has no UpdateID is yielded as an error that wraps
// [patch.ErrRecord] and names the file and the number of the update, from 1. A result that is no JSON to its end ends the
// listing. What was not changed since q.Since is left out. Platforms narrow nothing, as a patch names none: one update goes to
// clients and servers, which products do not call the same.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		newest := make(map[patch.ID]*Update)
		records := 0
		for i := range s.config.Results {
			err := ctx.Err()
			if err == nil {
				var r Result
				r, err = s.read(&s.config.Results[i], &records)
				for _, bad := range r.Refused {
					if !yield(patch.Patch{}, bad) {
						return
					}
				}
				for j := range r.Updates {
					u := &r.Updates[j]
					if old := newest[u.ID()]; old == nil || u.RevisionNumber > old.RevisionNumber {
						newest[u.ID()] = u
					}
				}
			}
			if err != nil {
				yield(patch.Patch{}, err)
				return
			}
		}
		for _, id := range slices.Sorted(maps.Keys(newest)) {
			if err := ctx.Err(); err != nil {
				yield(patch.Patch{}, err)
				return
			}
			p := newest[id].Patch()
			if !q.Since.IsZero() && !p.Modified.IsZero() && p.Modified.Before(q.Since) {
				continue
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *Source) read(f *File, records *int) (Result, error) {
	in, err := s.config.Limits.Open(f.Open)
	if err != nil {
		return Result{}, fmt.Errorf("wua: %s: %w", f.Name, err)
	}
	defer in.Close()
	return read(f.Name, in, s.config.Limits, records)
}
