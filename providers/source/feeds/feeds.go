// Package feeds keeps one catalog of many feeds in force while they come, change and fail.
//
// [Keeper.Refresh] reads every feed, merges what they say, and adds what is known of known exploitation and scores. A feed that
// fails, or that has lost most of what it said before, leaves what was read of it last in force, and its [State] says since when
// and why it is stale: a failure is never an empty feed, and what is old is never called current. With a folder, a new process
// begins with all of that without parsing anything.
package feeds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
)

// The reasons for which what is in force of a feed is not what there should be.
var (
	ErrNeverRead = errors.New("has not been read yet")
	ErrTooOld    = errors.New("was read too long ago")
	ErrLoss      = errors.New("lacks too much of what it held")
)

// Config says which feeds a [Keeper] keeps. Feeds are required; a zero field means its default.
type Config struct {
	Feeds []Feed // of patches, earlier ones count for more ([patch.Merge]); and of what is known about patches, applied in this order

	// Folder is where a new process finds what was read; it is made if it does not exist, and one process at a time uses it. ""
	// keeps everything in memory.
	Folder string

	Limits  patch.Limits  // within which saved catalogs are read
	MaxAge  time.Duration // how long after a feed was read it still counts as current; 48 hours. Below zero: for ever
	MaxLoss float64       // the share of the patches in force of a feed that a new reading may lack; 0.5. From 1 on: all

	Now func() time.Time // nil for [time.Now]
}

// A Feed is one source of patches, or one of what others know about patches.
type Feed struct {
	Name string // unlike that of any other; in errors and in [State]

	// Open brings what the feed consists of, from servers or from files, and returns how to read it. It is called by every
	// [Keeper.Refresh], never twice at once.
	Open func(ctx context.Context) (Reading, error)
}

// A Reading is what a [Feed] has to say now: Source or Enricher, one of them.
type Reading struct {
	Source   patch.Source
	Enricher patch.Enricher

	Refused []error   // the records of the enricher that could not be read; a source tells them itself
	At      time.Time // when this was last known to be current, as in fetch.Copy; zero means now, or with Stale as before
	Stale   error     // why this is only the last good copy, as in fetch.Copy; nil if it is current
}

// Always returns a feed of files that are always at hand.
func Always(name string, s patch.Source) Feed {
	return Feed{Name: name, Open: func(context.Context) (Reading, error) { return Reading{Source: s}, nil }}
}

// A State says what is in force of one feed.
type State struct {
	Name    string
	Read    time.Time // when it was last known to be current; zero if nothing of it is in force
	Patches int       // how many it gave; 0 for a feed of what is known about patches
	Refused []error   // the records that could not be read then: at most 100 of them after a restart
	Stale   error     // why it is not what there should be; nil for a feed that is current
}

// A View is what is in force. What a fleet must be told that holds another catalog is for [patch.Diff] to say.
type View struct {
	Catalog *patch.Catalog
	Feeds   []State // in the order of the configuration
}

// Stale returns why not all of v is current, feed by feed; nil if it is.
func (v *View) Stale() error {
	var all *multierror.Error
	for _, s := range v.Feeds {
		if s.Stale != nil {
			all = multierror.Append(all, fmt.Errorf("feeds: %s: %w", s.Name, s.Stale))
		}
	}
	return all.ErrorOrNil()
}

// A Keeper keeps a view of several feeds. It is safe for concurrent use.
type Keeper struct {
	config Config
	shelf  *shelf // nil without a folder

	mu    sync.Mutex // held while feeds are read
	feeds []kept
	view  atomic.Pointer[View]
}

// kept is what is in force of one feed.
type kept struct {
	state    State
	catalog  *patch.Catalog // nil if there is none, and of an enricher
	enriches bool           // it is an enricher
	enricher patch.Enricher // nil if it was not read in this process
	file     string         // where the catalog is saved; "" if it is not
}

// New returns a keeper. With a folder it loads what was read of its feeds before and asks nobody. What is damaged there is left
// out, as if it had never been read, and the feed's State says so. The error names every field that is wrong.
func New(config Config) (*Keeper, error) {
	var wrong *multierror.Error
	if len(config.Feeds) == 0 {
		wrong = multierror.Append(wrong, errors.New("feeds: config: no Feeds"))
	}
	if config.MaxLoss < 0 {
		wrong = multierror.Append(wrong, fmt.Errorf("feeds: config: MaxLoss is %g: want a share", config.MaxLoss))
	}
	for i, f := range config.Feeds {
		switch {
		case f.Name == "":
			wrong = multierror.Append(wrong, fmt.Errorf("feeds: config: Feeds[%d] has no Name", i))
		case f.Open == nil:
			wrong = multierror.Append(wrong, fmt.Errorf("feeds: config: Feeds[%d] (%s) has no Open", i, f.Name))
		case slices.ContainsFunc(config.Feeds[:i], func(g Feed) bool { return g.Name == f.Name }):
			wrong = multierror.Append(wrong, fmt.Errorf("feeds: config: Feeds[%d]: %s is the name of another", i, f.Name))
		}
	}
	if err := wrong.ErrorOrNil(); err != nil {
		return nil, err
	}
	if config.MaxAge == 0 {
		config.MaxAge = 48 * time.Hour
	}
	if config.MaxLoss == 0 {
		config.MaxLoss = 0.5
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Feeds = slices.Clone(config.Feeds)

	k := &Keeper{config: config, feeds: make([]kept, len(config.Feeds))}
	for i, f := range config.Feeds {
		k.feeds[i].state = State{Name: f.Name, Stale: ErrNeverRead}
	}
	before := &patch.Catalog{}
	if config.Folder != "" {
		var err error
		if k.shelf, err = openShelf(config.Folder, config.Limits); err != nil {
			return nil, err
		}
		before = k.shelf.load(k.feeds)
	}
	c, err := k.unite(context.Background(), before)
	if err != nil {
		return nil, err
	}
	changed := k.publish(before, c)
	if k.shelf != nil {
		k.shelf.dirty = changed
	}
	return k, nil
}

// Close closes the folder. What is in force stays so; Refresh fails from then on.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shelf == nil {
		return nil
	}
	return k.shelf.close()
}

// View returns what is in force.
func (k *Keeper) View() *View {
	v := *k.view.Load()
	v.Feeds = slices.Clone(v.Feeds)
	now := k.config.Now()
	for i := range v.Feeds {
		s := &v.Feeds[i]
		if age := now.Sub(s.Read); s.Stale == nil && k.config.MaxAge > 0 && age > k.config.MaxAge {
			s.Stale = fmt.Errorf("%s ago, and %s are allowed: %w", age.Round(time.Second), k.config.MaxAge, ErrTooOld)
		}
	}
	return &v
}

// Refresh reads all feeds, one after the other, and puts what they say in force. Feeds that fail stay as they are, and are
// stale: that is no error. A feed that has lost more than [Config.MaxLoss] allows fails, unless its name is among those whose
// loss is accepted this time.
//
// The error is that of ctx, and then everything is as it was; or says why the new view, which is in force, could not be saved.
// Calls at once take turns.
func (k *Keeper) Refresh(ctx context.Context, accept ...string) (*View, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range accept {
		if !slices.ContainsFunc(k.config.Feeds, func(f Feed) bool { return f.Name == name }) {
			return nil, fmt.Errorf("feeds: refresh: %q is no feed whose loss could be accepted", name)
		}
	}
	was := slices.Clone(k.feeds)
	for i, f := range k.config.Feeds {
		err := k.read(ctx, &k.feeds[i], f, slices.Contains(accept, f.Name))
		if ctx.Err() != nil {
			k.feeds = was
			return nil, fmt.Errorf("feeds: refresh: %w", ctx.Err())
		}
		if err != nil {
			k.feeds[i].state.Stale = err
		}
	}
	before := k.view.Load().Catalog
	c, err := k.unite(ctx, before)
	if err != nil {
		k.feeds = was
		return nil, fmt.Errorf("feeds: refresh: %w", err)
	}
	changed := k.publish(before, c)
	if k.shelf != nil {
		k.shelf.dirty = k.shelf.dirty || changed
		err = k.shelf.save(k.feeds, k.view.Load().Catalog)
	}
	return k.View(), err
}

// read reads one feed. With an error what is in force of it stays.
func (k *Keeper) read(ctx context.Context, f *kept, from Feed, accept bool) error {
	r, err := from.Open(ctx)
	if err != nil {
		return err
	}
	if (r.Source == nil) == (r.Enricher == nil) {
		return errors.New("gave neither a source nor an enricher, or both")
	}
	next := kept{enricher: r.Enricher, enriches: r.Enricher != nil}
	next.state = State{Name: from.Name, Read: r.At.UTC(), Refused: r.Refused, Stale: r.Stale}
	if r.At.IsZero() {
		next.state.Read = k.config.Now().Round(0).UTC() // without the clock that stops while a machine sleeps
		if r.Stale != nil && !f.state.Read.IsZero() {
			next.state.Read = f.state.Read
		}
	}
	if r.Source != nil {
		c, refused, err := patch.Collect(ctx, patch.Query{}, r.Source)
		if err != nil {
			return err
		}
		next.state.Refused = append(slices.Clip(r.Refused), refused...)
		next.state.Patches, next.catalog = c.Len(), c
		if f.catalog != nil {
			changes := patch.Diff(f.catalog, c)
			if lost := len(changes.Removed); !accept && float64(lost) > k.config.MaxLoss*float64(f.catalog.Len()) {
				return fmt.Errorf("%d of %d patches: %w", lost, f.catalog.Len(), ErrLoss)
			}
			if changes.Empty() {
				next.catalog, next.file = f.catalog, f.file
			}
		}
	}
	*f = next
	return nil
}

// unite makes one catalog of what is in force. before is what was in force: it tells what an enricher said that has not been
// read in this process.
func (k *Keeper) unite(ctx context.Context, before *patch.Catalog) (*patch.Catalog, error) {
	var catalogs []*patch.Catalog
	for i := range k.feeds {
		catalogs = append(catalogs, k.feeds[i].catalog)
	}
	c := patch.Merge(catalogs...)
	enrich := func(e patch.Enricher) error {
		changed, err := e.Enrich(ctx, c)
		if err != nil || len(changed) == 0 {
			return err
		}
		with, err := c.With(changed)
		if err == nil {
			c = with
		}
		return err
	}
	carry := false
	for i := range k.feeds {
		f := &k.feeds[i]
		if f.enricher != nil {
			err := enrich(f.enricher)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err == nil {
				continue
			}
			f.state.Stale = err
		}
		carry = carry || f.enriches
	}
	if carry {
		return c, enrich(earlier{before})
	}
	return c, ctx.Err()
}

// publish puts a catalog in force and says whether it differs from the one before. Of two that are equal the older stays, so
// that whoever holds it holds what is in force.
func (k *Keeper) publish(before, c *patch.Catalog) (changed bool) {
	changes := patch.Diff(before, c)
	if changed = !changes.Empty(); !changed {
		c = before
	}
	v := &View{Catalog: c}
	for i := range k.feeds {
		v.Feeds = append(v.Feeds, k.feeds[i].state)
	}
	k.view.Store(v)
	return changed
}
