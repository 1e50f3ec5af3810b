package patch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// A codec writes patches in the binary form of a saved catalog, or reads them. One description of the fields serves both.
//
// Numbers are varints as in package encoding/binary. A text is its number in the table of texts, from 1; 0 is "". A list is
// its length and its elements. A struct is its fields, in the order in which they stand below.
type codec struct {
	reading bool

	out     []byte
	numbers map[string]uint64
	texts   []string // of the table; when reading too

	in   []byte
	size int // of in, when it was whole
	err  error

	before *Package // the last one that was written or read

	// What is read comes out of these.
	patches    slab[Patch]
	packages   slab[Package]
	advisories slab[Advisory]
	strings    slab[string]
	ids        slab[ID]
	scores     slab[Score]
	artefacts  slab[Artefact]
	provenance slab[Provenance]
}

// How many bytes the zero value of each takes, which bounds how many a file can hold.
const (
	patchBytes      = 25
	packageBytes    = 1
	advisoryBytes   = 11
	scoreBytes      = 4
	artefactBytes   = 3
	provenanceBytes = 2
	textBytes       = 1
)

func (c *codec) patch(p *Patch) {
	text(c, &p.ID)
	list(c, &p.Aliases, &c.ids, textBytes, text)
	text(c, &p.Title)
	text(c, &p.Platform.OS)
	text(c, &p.Platform.Version)
	text(c, &p.Platform.Arch)
	enumOf(c, &p.Classification, ClassOptional)
	enumOf(c, &p.Severity, SeverityCritical)
	list(c, &p.ClassificationRaw, &c.strings, textBytes, text)
	text(c, &p.SeverityRaw)
	c.bool(&p.Contested)
	list(c, &p.Advisories, &c.advisories, advisoryBytes, (*codec).advisory)
	list(c, &p.Packages, &c.packages, packageBytes, (*codec).pkg)
	list(c, &p.Unaffected, &c.packages, packageBytes, (*codec).pkg)
	list(c, &p.Supersedes, &c.ids, textBytes, text)
	list(c, &p.Requires, &c.ids, textBytes, text)
	enumOf(c, &p.Reboot, RebootAlways)
	enumOf(c, &p.Reversal, ReversalSnapshot)
	c.time(&p.Released)
	c.time(&p.Modified)
	c.time(&p.Withdrawn)
	c.int(&p.Size)
	list(c, &p.References, &c.strings, textBytes, text)
	c.native(&p.Native)
	list(c, &p.Provenance, &c.provenance, provenanceBytes, (*codec).from)
}

// pkg writes or reads which parts are not those of the package before (the first comes after the zero one), and then these.
func (c *codec) pkg(p *Package) {
	const origins, artefacts = texts, texts + 1
	var parts uint64
	if c.reading {
		if parts = c.get(); parts >= 1<<(artefacts+1) {
			c.fail(fmt.Errorf("a package of the parts %#x", parts))
			return
		}
		*p = *c.before
		p.Origins, p.Artefacts = nil, nil
	} else {
		own, before := packageTexts(p), packageTexts(c.before)
		for i := range own {
			if *own[i] != *before[i] {
				parts |= 1 << i
			}
		}
		if len(p.Origins) > 0 {
			parts |= 1 << origins
		}
		if len(p.Artefacts) > 0 {
			parts |= 1 << artefacts
		}
		c.put(parts)
	}
	if differ := parts & (1<<texts - 1); differ != 0 {
		own := packageTexts(p)
		for ; differ != 0; differ &= differ - 1 {
			text(c, own[bits.TrailingZeros64(differ)])
		}
	}
	if parts&(1<<origins) != 0 {
		list(c, &p.Origins, &c.strings, textBytes, text)
	}
	if parts&(1<<artefacts) != 0 {
		list(c, &p.Artefacts, &c.artefacts, artefactBytes, (*codec).artefact)
	}
	c.before = p
}

// texts is how many texts a package has.
const texts = 11

func packageTexts(p *Package) [texts]*string {
	return [...]*string{
		&p.Ecosystem, &p.Name, &p.Source, &p.Arch, &p.Module,
		(*string)(&p.Introduced.Scheme), &p.Introduced.Text, (*string)(&p.Fixed.Scheme), &p.Fixed.Text, (*string)(&p.Last.Scheme), &p.Last.Text,
	}
}

func (c *codec) artefact(a *Artefact) {
	text(c, &a.Name)
	c.int(&a.Size)
	text(c, &a.Digest)
}

func (c *codec) advisory(a *Advisory) {
	text(c, &a.ID)
	text(c, &a.Title)
	list(c, &a.CVEs, &c.strings, textBytes, text)
	enumOf(c, &a.Severity, SeverityCritical)
	text(c, &a.SeverityRaw)
	list(c, &a.Scores, &c.scores, scoreBytes, (*codec).score)
	enumOf(c, &a.Exploited, Yes)
	c.float(&a.EPSS)
	c.time(&a.Published)
	c.time(&a.KnownSince)
	list(c, &a.References, &c.strings, textBytes, text)
}

func (c *codec) score(s *Score) {
	text(c, &s.Version)
	text(c, &s.Vector)
	c.float(&s.Base)
	text(c, &s.By)
}

func (c *codec) from(p *Provenance) {
	text(c, &p.Field)
	text(c, &p.From)
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: %w", c.size-len(c.in), err)
	}
	c.in = nil
}

func (c *codec) put(v uint64) { c.out = binary.AppendUvarint(c.out, v) }

func (c *codec) get() uint64 {
	if len(c.in) > 0 && c.in[0] < 0x80 {
		v := c.in[0]
		c.in = c.in[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(c.in)
	switch {
	case c.err != nil:
		return 0
	case n == 0:
		c.fail(io.ErrUnexpectedEOF)
		return 0
	case n < 0:
		c.fail(errors.New("a number of more than 64 bits"))
		return 0
	}
	c.in = c.in[n:]
	return v
}

// text writes or reads a text.
func text[T ~string](c *codec, v *T) {
	if !c.reading {
		c.put(c.number(string(*v)))
		return
	}
	switch n := c.get(); {
	case n == 0:
		*v = ""
	case n > uint64(len(c.texts)):
		c.fail(fmt.Errorf("text %d of %d", n, len(c.texts)))
	default:
		*v = T(c.texts[n-1])
	}
}

// number returns the number of a text and takes it into the table if it is not there.
func (c *codec) number(s string) uint64 {
	if s == "" {
		return 0
	}
	n, found := c.numbers[s]
	if !found {
		c.texts = append(c.texts, s)
		n = uint64(len(c.texts))
		c.numbers[s] = n
	}
	return n
}

// list writes or reads a list whose elements take at least the stated number of bytes.
func list[T any](c *codec, v *[]T, room *slab[T], least int, each func(*codec, *T)) {
	if c.reading {
		n := c.count(least)
		if room.used += n; room.limit > 0 && room.used > room.limit {
			c.fail(fmt.Errorf("%d of %T, and %d are allowed", room.used, *v, room.limit))
			return
		}
		*v = room.take(n)
	} else {
		c.put(uint64(len(*v)))
	}
	for i := range *v {
		each(c, &(*v)[i])
	}
}

// count reads how many elements follow.
func (c *codec) count(least int) int {
	n := c.get()
	if n > uint64(len(c.in)/least) {
		c.fail(fmt.Errorf("%d elements in %d bytes", n, len(c.in)))
		return 0
	}
	return int(n)
}

// enumOf writes or reads an enumeration up to last.
func enumOf[T ~uint8](c *codec, v *T, last T) {
	if !c.reading {
		c.put(uint64(*v))
		return
	}
	n := c.get()
	if n > uint64(last) {
		c.fail(fmt.Errorf("%d is beyond %d, the last value of a %T", n, last, last))
		return
	}
	*v = T(n)
}

func (c *codec) bool(v *bool) {
	n := uint8(0)
	if *v {
		n = 1
	}
	enumOf(c, &n, 1)
	*v = n == 1
}

func (c *codec) int(v *int64) {
	if !c.reading {
		c.out = binary.AppendVarint(c.out, *v)
		return
	}
	n := c.get()
	*v = int64(n>>1) ^ -int64(n&1)
}

// float writes or reads a number: twice its hundred thousandfold if that is a small whole number, as scores and
// probabilities have it; otherwise 1 and its IEEE 754 bits.
func (c *codec) float(v *float64) {
	const unit, most = 1e5, 1 << 40
	if !c.reading {
		n := math.Round(*v * unit)
		if (n > 0 || math.Float64bits(n) == 0) && n < most && math.Float64bits(n/unit) == math.Float64bits(*v) {
			c.put(uint64(n) << 1)
		} else {
			c.put(1)
			c.put(math.Float64bits(*v))
		}
		return
	}
	switch n := c.get(); {
	case n == 1:
		*v = math.Float64frombits(c.get())
	case n&1 == 1 || n>>1 >= most:
		c.fail(fmt.Errorf("%d is no fraction", n))
	default:
		*v = float64(n>>1) / unit
	}
}

// time writes or reads a time: 0 for none, 1 and the second since 1970, or 2, the second and the nanosecond.
func (c *codec) time(v *time.Time) {
	const none, second, nanosecond = 0, 1, 2
	if !c.reading {
		switch {
		case v.IsZero():
			c.put(none)
			return
		case v.Nanosecond() == 0:
			c.put(second)
		default:
			c.put(nanosecond)
		}
		s := v.Unix()
		c.int(&s)
		if v.Nanosecond() != 0 {
			c.put(uint64(v.Nanosecond()))
		}
		return
	}
	kind := c.get()
	if kind == none {
		*v = time.Time{}
		return
	}
	var s int64
	var ns uint64
	c.int(&s)
	if kind == nanosecond {
		ns = c.get()
	}
	if kind > nanosecond || ns >= 1e9 {
		c.fail(fmt.Errorf("a time of kind %d with %d ns", kind, ns))
		return
	}
	*v = time.Unix(s, int64(ns)).UTC()
}

// native writes or reads a map, by ascending keys.
func (c *codec) native(v *map[string]string) {
	if !c.reading {
		c.put(uint64(len(*v)))
		for _, k := range slices.Sorted(maps.Keys(*v)) {
			value := (*v)[k]
			text(c, &k)
			text(c, &value)
		}
		return
	}
	n := c.count(2 * textBytes)
	if n == 0 {
		return
	}
	*v = make(map[string]string, n)
	before := ""
	for i := range n {
		var key, value string
		text(c, &key)
		text(c, &value)
		if i > 0 && key <= before {
			c.fail(fmt.Errorf("key %q after %q", key, before))
		}
		if c.err != nil {
			return
		}
		before = key
		(*v)[key] = value
	}
}
