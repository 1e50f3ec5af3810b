package predicate

import (
	"slices"
	"time"
)

// Turns returns the instants at which time alone may change what e says of f, in their order and each once: those at which an
// age reaches, or passes, what it is compared with. Instants that are over are among them.
func (e Expr) Turns(f Facts) []time.Time {
	all := e.turns(nil, newDictionary(), facts{Facts: f})
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

func (e Expr) turns(all []time.Time, fields *dictionary, f facts) []time.Time {
	for _, a := range e.args {
		all = a.turns(all, fields, f)
	}
	if e.op < opIs || e.kind != kindAge || e.op == opExists {
		return all
	}
	found, _, _ := fields.find(e.field)
	add := func() {
		begin := found.since(f)
		if begin.IsZero() {
			return
		}
		for _, v := range e.values {
			at := begin.Add(time.Duration(v.span))
			all = append(all, at, at.Add(1)) // "more than" holds from there on
		}
	}
	switch {
	case found.of == ofDevice && f.Device == nil, found.of != ofDevice && f.Patch == nil:
	case found.of == ofAdvisory:
		for i := range f.Patch.Advisories {
			f.advisory = &f.Patch.Advisories[i]
			add()
		}
	default:
		add()
	}
	return all
}
