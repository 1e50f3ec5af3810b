package patch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch/version"
)

// An Entry says that a patch brings a package up to a version, or that it is known to need one that does not exist.
type Entry struct {
	Patch   *Patch
	Package *Package    // one of Patch.Packages
	Key     version.Key // of Package.Fixed; "" if that is zero or Err is set
	*Bounds             // never nil in what a catalog returns
}

// Bounds are what few entries have beside their key: most are shared by many entries.
type Bounds struct {
	From version.Key // of Package.Introduced; "" if that is zero, which is below all keys
	Last version.Key // of Package.Last; "" if that is zero or Key is set

	// Err says why the versions of Package cannot be compared with anything. Whether a device misses such a patch is
	// unknown.
	Err error
}

// Open says whether no version is known that has the fix.
func (e *Entry) Open() bool { return e.Package.Fixed.IsZero() }

// Scheme returns the scheme of the entry's versions, "" if it names none: then every version is affected.
func (e *Entry) Scheme() version.Scheme {
	if s := e.Package.Fixed.Scheme; s != "" {
		return s
	}
	return cmp.Or(e.Package.Last.Scheme, e.Package.Introduced.Scheme)
}

// rank puts entries with a fixed version before those without, and those that cannot be compared last.
func (e *Entry) rank() int {
	switch {
	case e.Err != nil:
		return 2
	case e.Open():
		return 1
	}
	return 0
}

func compareEntries(a, b Entry) int {
	if n := cmp.Compare(a.rank(), b.rank()); n != 0 {
		return n
	}
	if a.rank() == 0 {
		if n := strings.Compare(string(a.Package.Fixed.Scheme), string(b.Package.Fixed.Scheme)); n != 0 {
			return n
		}
		if n := strings.Compare(string(a.Key), string(b.Key)); n != 0 {
			return n
		}
	}
	return cmp.Compare(a.Patch.ID, b.Patch.ID)
}

// A keyer makes entries. It keeps one key for all versions that are equal.
type keyer struct {
	keys   map[version.Version]version.Key
	none   *Bounds            // that most entries have
	bounds map[Bounds]*Bounds // without those that have an Err
	fixed  version.Version    // the last one, which the next package most often has too
	key    version.Key
	buffer []byte
}

func newKeyer() *keyer {
	k := &keyer{keys: make(map[version.Version]version.Key), none: new(Bounds), bounds: make(map[Bounds]*Bounds)}
	k.keys[version.Version{}] = ""
	return k
}

// entry returns the entry for p, one of o's packages.
func (k *keyer) entry(o *Patch, p *Package) Entry {
	if p.Fixed != k.fixed {
		key, err := k.keyOf(p.Fixed)
		if err != nil {
			return Entry{Patch: o, Package: p, Bounds: &Bounds{Err: err}}
		}
		k.fixed, k.key = p.Fixed, key
	}
	if p.Introduced.IsZero() && (p.Last.IsZero() || !p.Fixed.IsZero()) {
		return Entry{Patch: o, Package: p, Key: k.key, Bounds: k.none}
	}
	b, err := k.boundsOf(p)
	if err != nil {
		return Entry{Patch: o, Package: p, Bounds: &Bounds{Err: err}}
	}
	shared := k.bounds[b]
	if shared == nil {
		shared = &Bounds{From: b.From, Last: b.Last}
		k.bounds[b] = shared
	}
	return Entry{Patch: o, Package: p, Key: k.key, Bounds: shared}
}

// boundsOf returns the bounds of p, whose fixed version can be compared.
func (k *keyer) boundsOf(p *Package) (b Bounds, err error) {
	scheme := cmp.Or(p.Fixed.Scheme, p.Introduced.Scheme, p.Last.Scheme)
	last := p.Last
	if !p.Fixed.IsZero() {
		last = version.Version{}
	}
	for _, v := range [...]version.Version{p.Introduced, last} {
		if !v.IsZero() && v.Scheme != scheme {
			return b, fmt.Errorf("patch: %s is from %q to %q: %w", cmp.Or(p.Name, p.Source), p.Introduced.Scheme,
				cmp.Or(p.Fixed.Scheme, p.Last.Scheme), version.ErrIncomparable)
		}
	}
	if b.From, err = k.keyOf(p.Introduced); err != nil {
		return Bounds{}, err
	}
	if b.Last, err = k.keyOf(last); err != nil {
		return Bounds{}, err
	}
	return b, nil
}

func (k *keyer) keyOf(v version.Version) (version.Key, error) {
	key, found := k.keys[v]
	if found {
		return key, nil
	}
	var err error
	if k.buffer, err = v.AppendKey(k.buffer[:0]); err != nil {
		return "", err
	}
	key = version.Key(k.buffer)
	k.keys[v] = key
	return key, nil
}
