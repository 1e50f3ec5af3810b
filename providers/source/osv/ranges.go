package osv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch/version"
)

// An interval is a stretch of affected versions, from introduced to before fixed or up to last; without either to the end.
// "" for introduced is before all versions.
type interval struct {
	scheme                  version.Scheme
	introduced, fixed, last string

	from, to version.Key // of introduced, and of fixed or last
	ordered  bool        // the keys are known
}

// holds says whether the version with a key lies in the interval, whose keys are known.
func (v *interval) holds(key version.Key) bool {
	switch {
	case key < v.from:
		return false
	case v.fixed != "":
		return key < v.to
	case v.last != "":
		return key <= v.to
	}
	return true
}

// A point is an event of a range.
type point struct {
	what what
	text string // "" for the introduced that is before all versions
	key  version.Key
}

type what uint8

const (
	introduced what = iota
	fixed
	last
	limit
)

var errEvent = errors.New("an event of a range is none that is known")

// points returns the events of a range, and whether the order of all of them is known.
func points(scheme version.Scheme, events []event) (all []point, ordered bool, err error) {
	ordered = true
	starts := false
	for _, e := range events {
		if e == (event{}) {
			return nil, false, errEvent
		}
		for _, p := range [...]point{{introduced, e.Introduced, ""}, {fixed, e.Fixed, ""}, {last, e.LastAffected, ""}, {limit, e.Limit, ""}} {
			if p.text == "" || p.what == limit && p.text == "*" {
				continue
			}
			starts = starts || p.what == introduced
			if p.what == introduced && p.text == "0" {
				p.text = ""
			} else if p.key, err = (version.Version{Scheme: scheme, Text: p.text}).Key(); err != nil {
				ordered = false
			}
			all = append(all, p)
		}
	}
	if !starts { // against the schema; what has an end has a beginning
		all = slices.Insert(all, 0, point{what: introduced})
	}
	return all, ordered, nil
}

// intervals returns the affected versions of a range. Its events are put in order, without a change to them; if that
// is not known they are taken as they stand, and the versions of the intervals compare with nothing.
//
// It follows the algorithm of OSV's specification ("Evaluation"). What introduces and fixes a hole in the same version
// changes nothing there. Where events stand as pairs, each of which begins before it ends, they are taken as pairs: that is
// the same, unless pairs overlap, as some of Bitnami's do, of which the algorithm would lose a part.
func intervals(scheme version.Scheme, events []event) ([]interval, error) {
	all, ordered, err := points(scheme, events)
	if err != nil {
		return nil, err
	}
	if !ordered {
		return evaluate(scheme, all, false), nil
	}
	if found, ok := pairs(scheme, all); ok {
		return joined(found), nil
	}
	slices.SortStableFunc(all, func(a, b point) int { return strings.Compare(string(a.key), string(b.key)) })
	return cut(joined(evaluate(scheme, all, true)), scheme, events), nil
}

// pairs reads events as pairs of a beginning and an end; the last may have none. It returns false if they are not.
func pairs(scheme version.Scheme, all []point) (found []interval, ok bool) {
	for i := 0; i < len(all); i += 2 {
		v := interval{scheme: scheme, introduced: all[i].text, from: all[i].key, ordered: true}
		if all[i].what != introduced {
			return nil, false
		}
		if i+1 < len(all) {
			p := &all[i+1]
			switch {
			case p.what == fixed && p.key >= v.from:
				v.fixed = p.text
			case p.what == last && p.key >= v.from:
				v.last = p.text
			default:
				return nil, false
			}
			v.to = p.key
		}
		if v.fixed == "" || v.from < v.to {
			found = append(found, v)
		}
	}
	return found, true
}

// joined makes one of intervals that overlap or follow each other without a gap.
func joined(found []interval) []interval {
	slices.SortStableFunc(found, func(a, b interval) int { return strings.Compare(string(a.from), string(b.from)) })
	var all []interval
	for _, v := range found {
		if n := len(all) - 1; n >= 0 && (all[n].fixed+all[n].last == "" || v.from <= all[n].to) {
			if v.further(&all[n]) {
				all[n].fixed, all[n].last, all[n].to = v.fixed, v.last, v.to
			}
			continue
		}
		all = append(all, v)
	}
	return all
}

// evaluate goes through the events of a range from the first to the last version, or as they stand if their order is not
// known.
func evaluate(scheme version.Scheme, all []point, ordered bool) (found []interval) {
	var open *interval
	begin := func(p *point) {
		open = &interval{scheme: scheme, introduced: p.text, from: p.key, ordered: ordered}
	}
	end := func(p *point) {
		if p.what == last {
			open.last = p.text
		} else {
			open.fixed = p.text
		}
		open.to = p.key
		found = append(found, *open)
		open = nil
	}
	for len(all) > 0 {
		n := 1
		for ordered && n < len(all) && all[n].key == all[0].key {
			n++
		}
		var at [limit]*point
		for i := range all[:n] {
			if p := &all[i]; p.what < limit && at[p.what] == nil {
				at[p.what] = p
			}
		}
		all = all[n:]
		switch {
		case at[last] != nil:
			if open == nil && at[introduced] != nil {
				begin(at[introduced])
			}
			if open != nil {
				end(at[last])
			}
		case at[introduced] != nil && at[fixed] != nil:
		case at[introduced] != nil && open == nil:
			begin(at[introduced])
		case at[fixed] != nil && open != nil:
			end(at[fixed])
		}
	}
	if open != nil {
		found = append(found, *open)
	}
	return found
}

// cut leaves out what is at or after the highest limit, if there is one.
func cut(found []interval, scheme version.Scheme, events []event) []interval {
	var text string
	var key version.Key
	for _, e := range events {
		if e.Limit == "*" {
			return found
		}
		if e.Limit == "" {
			continue
		}
		if k, _ := (version.Version{Scheme: scheme, Text: e.Limit}).Key(); text == "" || k > key {
			text, key = e.Limit, k
		}
	}
	if text == "" {
		return found
	}
	found = slices.DeleteFunc(found, func(v interval) bool { return v.from >= key })
	for i := range found {
		if v := &found[i]; v.fixed == "" && v.last == "" || v.to > key || v.last != "" && v.to == key {
			v.fixed, v.last, v.to = text, "", key
		}
	}
	return found
}

// intervals returns the affected versions of a package.
func (a *affected) intervals(e *ecosystem) ([]interval, error) {
	if len(a.Ranges) == 0 && len(a.Versions) == 0 {
		return []interval{{ordered: true}}, nil
	}
	var found []interval
	usable := false
	listed := e.scheme
	for i := range a.Ranges {
		if t := a.Ranges[i].Type; t != "SEMVER" && t != "ECOSYSTEM" {
			continue
		} else if t == "SEMVER" {
			listed = e.schemeOf(t)
		}
		usable = true
		more, err := intervals(e.schemeOf(a.Ranges[i].Type), a.Ranges[i].Events)
		if err != nil {
			return nil, fmt.Errorf("ranges[%d]: %w", i, err)
		}
		found = append(found, more...)
	}
	found = append(found, exact(listed, a.Versions, found)...)
	if usable || len(a.Versions) > 0 {
		return found, nil
	}
	for i := range a.Ranges { // commits, and what a later schema may have
		more, err := intervals(e.schemeOf(a.Ranges[i].Type), a.Ranges[i].Events)
		if err != nil {
			return nil, fmt.Errorf("ranges[%d]: %w", i, err)
		}
		found = append(found, more...)
	}
	return found, nil
}

// exact returns an interval for each of the versions that lies in none of found. A text that is no version of the scheme is
// equal to none that a device could have, and so is passed over, unless nothing else tells of the package.
func exact(scheme version.Scheme, versions []string, found []interval) (all []interval) {
	if len(versions) == 0 {
		return nil
	}
	covered := cover(scheme, found)
	seen := make(map[version.Key]bool)
	var odd *interval
	for _, text := range versions {
		one := interval{scheme: scheme, introduced: text, last: text}
		key, err := version.Version{Scheme: scheme, Text: text}.Key()
		if err != nil {
			if odd == nil {
				odd = &one
			}
			continue
		}
		if seen[key] || covered.holds(key) {
			continue
		}
		seen[key] = true
		one.from, one.to, one.ordered = key, key, true
		all = append(all, one)
	}
	if len(found)+len(all) == 0 && odd != nil {
		all = append(all, *odd)
	}
	return all
}

// A covering answers quickly whether any of many intervals holds a version.
type covering []interval // by where they begin; each reaches as far as any before it

// cover returns the covering by those intervals whose order with versions of the scheme is known.
func cover(scheme version.Scheme, found []interval) covering {
	var c covering
	for _, v := range found {
		if v.ordered && (v.scheme == scheme || v.introduced+v.fixed+v.last == "") {
			c = append(c, v)
		}
	}
	slices.SortFunc(c, func(a, b interval) int { return strings.Compare(string(a.from), string(b.from)) })
	for i := 1; i < len(c); i++ {
		if c[i-1].further(&c[i]) {
			c[i].fixed, c[i].last, c[i].to = c[i-1].fixed, c[i-1].last, c[i-1].to
		}
	}
	return c
}

// further says whether v ends after o.
func (v *interval) further(o *interval) bool {
	switch {
	case v.fixed+v.last == "":
		return true
	case o.fixed+o.last == "":
		return false
	case v.to == o.to:
		return v.last != ""
	}
	return v.to > o.to
}

func (c covering) holds(key version.Key) bool {
	n, _ := slices.BinarySearchFunc(c, key, func(v interval, key version.Key) int {
		if v.from <= key {
			return -1
		}
		return 1
	})
	return n > 0 && c[n-1].holds(key)
}
