package patch

import (
	"context"
	"iter"
	"time"
)

// A Query narrows a listing of patches.
type Query struct {
	Since     time.Time  // only what was released or modified since then; zero asks for everything
	Platforms []Platform // only what fits one of them; empty asks for all
}

// A Source publishes patches.
//
// Implementations are safe for concurrent use and keep no position between calls: every call lists from the start.
type Source interface {
	// Patches yields the patches that match q, each ID once. It may yield more than was asked for, never less.
	//
	// A record that cannot be read is yielded as an error that names its position and wraps [ErrRecord], and the listing
	// goes on. Any other error ends the sequence and is its last pair: what came before it is then no complete list.
	// When ctx is done the sequence ends with ctx's error.
	Patches(ctx context.Context, q Query) iter.Seq2[Patch, error]
}

// An Enricher adds what others know about the patches of a catalog: known exploitation, scores, end of support.
// It may fill what is unknown and raise a severity; it never lowers one. It is safe for concurrent use.
type Enricher interface {
	// Enrich returns the changed copies of the patches in c that it knows more of. It does not change c.
	// A second call with the result in the catalog returns nothing new.
	Enrich(ctx context.Context, c *Catalog) ([]Patch, error)
}
