package providertest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

// SourceHarness tells [Source] how to get at a patch source.
type SourceHarness struct {
	// New returns the source. It lists at least two patches.
	New func(t *testing.T) patch.Source

	// Want names patches that it lists, among others or all of them.
	Want []patch.ID

	// Damaged returns a source with one record that cannot be read, not the last one, and text that names the position
	// of that record, as its error is to contain it: "line 12".
	Damaged func(t *testing.T) (s patch.Source, position string)

	// Broken returns a source whose listing fails: a server that is down, a file that ends too early.
	Broken func(t *testing.T) patch.Source
}

// Source checks a [patch.Source].
func Source(t *testing.T, h SourceHarness) {
	t.Helper()
	run(t, sourcePromises(), func(t *testing.T) sourceFixture { return sourceFixture{h, h.New(t)} }, nil)
}

type sourceFixture struct {
	SourceHarness
	source patch.Source
}

// fatal returns err unless it is only about one record.
func fatal(err error) error {
	if errors.Is(err, patch.ErrRecord) {
		return nil
	}
	return err
}

// patches lists what s has for q, without the records that it cannot read.
func patches(t *testing.T, s patch.Source, q patch.Query) []patch.Patch {
	t.Helper()
	var all []patch.Patch
	for p, err := range s.Patches(t.Context(), q) {
		require.NoError(t, fatal(err))
		if err == nil {
			all = append(all, p)
		}
	}
	return all
}

// asked says whether q asks for p, by what p says of itself.
func asked(p *patch.Patch, q patch.Query) bool {
	if !q.Since.IsZero() && p.Released.Before(q.Since) && p.Modified.Before(q.Since) {
		return false
	}
	fits := func(of, asked string) bool { return of == "" || asked == "" || of == asked }
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(o patch.Platform) bool {
		return fits(p.Platform.OS, o.OS) && fits(p.Platform.Version, o.Version) && fits(p.Platform.Arch, o.Arch)
	})
}

func sourcePromises() []promise[sourceFixture] {
	const never = "It may yield more than was asked for, never less."
	const record = "A record that cannot be read is yielded as an error that names its position and wraps [ErrRecord], and the listing goes on."
	// firstError returns the error for the damaged record, and how many patches come after it.
	firstError := func(t *testing.T, f sourceFixture) (position string, after int, failure error) {
		need(t, f.Damaged != nil, "Damaged")
		s, position := f.Damaged(t)
		for _, err := range s.Patches(t.Context(), patch.Query{}) {
			switch {
			case failure == nil:
				failure = err
			case err == nil:
				after++
			}
		}
		require.Error(t, failure, "the damaged record was passed over in silence")
		return position, after, failure
	}
	list := lister[sourceFixture, patch.Patch]{
		group: "Patches",
		list: func(f sourceFixture, ctx context.Context) iter.Seq2[patch.Patch, error] {
			return f.source.Patches(ctx, patch.Query{})
		},
		key: func(p *patch.Patch) string { return string(p.ID) },
		broken: func(t *testing.T, f sourceFixture) (iter.Seq2[patch.Patch, error], bool) {
			if f.Broken == nil {
				return nil, false
			}
			return f.Broken(t).Patches(t.Context(), patch.Query{}), true
		},
		once:       "Patches yields the patches that match q, each ID once.",
		start:      "keep no position between calls: every call lists from the start.",
		concurrent: "Implementations are safe for concurrent use",
		last:       "Any other error ends the sequence and is its last pair: what came before it is then no complete list.",
		ctx:        "When ctx is done the sequence ends with ctx's error.",
	}
	return append([]promise[sourceFixture]{
		{"Patches", "everything that is published is listed", never, func(t *testing.T, f sourceFixture) {
			all := patches(t, f.source, patch.Query{})
			require.GreaterOrEqual(t, len(all), 2, "the harness must provide two patches or more")
			for _, id := range f.Want {
				require.True(t, slices.ContainsFunc(all, func(p patch.Patch) bool { return p.ID == id }), "%s is not listed", id)
			}
		}},
		{"Patches", "a narrower query leaves out nothing that it asks for", never, func(t *testing.T, f sourceFixture) {
			all := patches(t, f.source, patch.Query{})
			var queries []patch.Query
			for i := range all[:min(len(all), 5)] {
				queries = append(queries, patch.Query{Platforms: []patch.Platform{all[i].Platform}})
				for _, since := range []patch.Query{{Since: all[i].Released}, {Since: all[i].Modified}} {
					if !since.Since.IsZero() {
						queries = append(queries, since)
					}
				}
			}
			for _, q := range queries {
				got := patches(t, f.source, q)
				for i := range all {
					if asked(&all[i], q) {
						require.True(t, slices.ContainsFunc(got, func(p patch.Patch) bool { return p.ID == all[i].ID }),
							"%s is not listed for the query %+v", all[i].ID, q)
					}
				}
			}
		}},
		{"Patches", "an unreadable record is an error of its own kind", record, func(t *testing.T, f sourceFixture) {
			_, _, err := firstError(t, f)
			require.ErrorIs(t, err, patch.ErrRecord)
		}},
		{"Patches", "the error of an unreadable record names its position", record, func(t *testing.T, f sourceFixture) {
			position, _, err := firstError(t, f)
			require.ErrorContains(t, err, position)
		}},
		{"Patches", "the listing goes on after an unreadable record", record, func(t *testing.T, f sourceFixture) {
			_, after, _ := firstError(t, f)
			require.Positive(t, after, "patches after the damaged record")
		}},
	}, list.promises()...)
}
