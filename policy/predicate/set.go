package predicate

import (
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Set is several expressions made ready for a whole fleet. What depends on the device alone is split off from each:
// the device's [Signature] holds the results, and all devices with one signature get one answer for a patch. It is
// immutable and safe for concurrent use.
type Set struct {
	rests  []rest      // by predicate
	parts  []evaluator // what depends on the device alone
	turns  []turn      // when parts change by themselves
	consts []evaluator // what does not depend on the device
}

// A Signature says what the parts of a [Set] that depend on the device alone are for one device. Signatures of one set
// can be compared with ==; those of different sets mean nothing to each other.
type Signature string

// A rest is what an expression is beside its parts.
type rest struct {
	op    restOp
	index int // of a part or a constant
	args  []rest
}

type restOp uint8

const (
	restPart restOp = iota
	restConst
	restNot
	restAll
	restAny
)

// A turn is an age of a device that a part depends on.
type turn struct {
	since func(f facts) time.Time
	span  time.Duration
}

// NewSet makes a set of expressions. They are known by their place in the list.
func NewSet(exprs ...Expr) *Set {
	b := setBuilder{
		set: &Set{}, parts: make(map[string]int), consts: make(map[string]int), compiler: compiler{fields: newDictionary()},
	}
	for _, e := range exprs {
		b.set.rests = append(b.set.rests, b.split(e))
	}
	return b.set
}

// Len returns the number of expressions.
func (s *Set) Len() int { return len(s.rests) }

type setBuilder struct {
	compiler
	set    *Set
	parts  map[string]int // by text form
	consts map[string]int
}

// split divides e, so that the parts are as large as possible: the fewer there are, the more devices look alike.
func (b *setBuilder) split(e Expr) rest {
	needs := e.Needs()
	switch {
	case !needs.Device:
		return b.constant(e)
	case !needs.Patch && !needs.Finding:
		return b.part(e)
	case e.op == opNot:
		return rest{op: restNot, args: []rest{b.split(e.args[0])}}
	}
	r := rest{op: restAll}
	if e.op == opAny {
		r.op = restAny
	}
	var device, other []Expr
	for _, a := range e.args { // nothing else joins what is about a device with what is not
		switch needs := a.Needs(); {
		case !needs.Device:
			other = append(other, a)
		case !needs.Patch && !needs.Finding:
			device = append(device, a)
		default:
			r.args = append(r.args, b.split(a))
		}
	}
	if len(other) > 0 {
		r.args = append(r.args, b.constant(join(e.op, other)))
	}
	if len(device) > 0 {
		r.args = append(r.args, b.part(join(e.op, device)))
	}
	return r
}

func (b *setBuilder) constant(e Expr) rest {
	key := e.String()
	i, known := b.consts[key]
	if !known {
		i = len(b.set.consts)
		b.consts[key] = i
		b.set.consts = append(b.set.consts, b.compile(e))
	}
	return rest{op: restConst, index: i}
}

func (b *setBuilder) part(e Expr) rest {
	key := e.String()
	i, known := b.parts[key]
	if !known {
		i = len(b.set.parts)
		b.parts[key] = i
		b.set.parts = append(b.set.parts, b.compile(e))
		b.turns(e)
	}
	return rest{op: restPart, index: i}
}

func (b *setBuilder) turns(e Expr) {
	for _, a := range e.args {
		b.turns(a)
	}
	if e.op >= opLess && e.kind == kindAge {
		f, _, _ := b.fields.find(e.field)
		for _, v := range e.values {
			b.set.turns = append(b.set.turns, turn{f.since, time.Duration(v.span)})
		}
	}
}

// Signature returns the signature of d at an instant, and until when it is good if d does not change: the zero time if
// time changes nothing. It makes one text.
func (s *Set) Signature(d *inventory.Device, now time.Time) (sig Signature, until time.Time) {
	b := make([]byte, 0, 32)
	b, until = s.appendSignature(b, d, now)
	return Signature(b), until
}

// appendSignature appends two bits for each part.
func (s *Set) appendSignature(b []byte, d *inventory.Device, now time.Time) ([]byte, time.Time) {
	f := facts{Facts: Facts{Device: d, Now: now}}
	for i, part := range s.parts {
		if i%4 == 0 {
			b = append(b, 0)
		}
		b[len(b)-1] |= byte(part(f)) << (i % 4 * 2)
	}
	return b, s.until(f)
}

// until returns when an age of f's device next reaches or passes what it is compared with.
func (s *Set) until(f facts) (until time.Time) {
	if f.Device == nil || f.Now.IsZero() {
		return until
	}
	for _, t := range s.turns {
		begin := t.since(f)
		if begin.IsZero() {
			continue
		}
		at := begin.Add(t.span)
		if !at.After(f.Now) {
			at = at.Add(1) // "more than" holds from here on
		}
		if at.After(f.Now) && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	return until
}

// Eval says whether expression i holds for the patch x on the devices with a signature of s, as [Predicate.Eval] does
// without a finding: where the finding matters the answer is unknown. It allocates nothing. An i that is none of s, or a
// signature of another set that is too short, is answered with unknown.
func (s *Set) Eval(i int, sig Signature, x *patch.Patch, now time.Time) patch.Tri {
	if i < 0 || i >= len(s.rests) || len(sig) < (len(s.parts)+3)/4 {
		return patch.Unknown
	}
	return s.eval(&s.rests[i], sig, facts{Facts: Facts{Patch: x, Now: now}})
}

func (s *Set) eval(r *rest, sig Signature, f facts) patch.Tri {
	switch r.op {
	case restPart:
		return patch.Tri(sig[r.index/4] >> (r.index % 4 * 2) & 3)
	case restConst:
		return s.consts[r.index](f)
	case restNot:
		return not(s.eval(&r.args[0], sig, f))
	}
	all, end := patch.Yes, patch.No
	if r.op == restAny {
		all, end = patch.No, patch.Yes
	}
	for i := range r.args {
		switch s.eval(&r.args[i], sig, f) {
		case end:
			return end
		case patch.Unknown:
			all = patch.Unknown
		}
	}
	return all
}
