package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
)

// An Effective is the policy that counts for a device, and where it is from. It does not change, and goroutines may share it.
type Effective struct {
	Policy  Policy    `json:"policy"`            // valid
	Combine Combine   `json:"combine"`           // how its rules were put together
	Layers  []string  `json:"layers,omitempty"`  // the names of the layers that are about the device, from far to near
	Origins []Origin  `json:"origins"`           // of all fields, in the order of [Policy], then combine
	Refused []Refusal `json:"refused,omitempty"` // what locks kept out, field by field, from far to near
}

// An Origin says where the value of a field is from. Lists to which several layers add have one Origin for each item.
type Origin struct {
	Field string `json:"field"`           // "maxActive", "rules[2]"
	Value string `json:"value,omitempty"` // for people
	Layer string `json:"layer,omitempty"` // "" for a default: no layer sets it
	Lock  string `json:"lock,omitempty"`  // the layer whose lock is on the field; "" if there is none
}

// A Refusal tells that a layer tried what a lock above it forbids.
type Refusal struct {
	Field string   `json:"field"`
	Value string   `json:"value"`           // that was asked for
	Layer string   `json:"layer"`           // that asked
	Lock  string   `json:"lock"`            // the layer that has the lock
	Mode  LockMode `json:"mode"`            // of the lock
	Limit string   `json:"limit,omitempty"` // the value that is locked; "" for lists that layers add to
}

// String returns why, on one line.
func (r Refusal) String() string {
	switch {
	case r.Limit == "" && r.Mode == LockTighten:
		return fmt.Sprintf("%s: %s adds %s: %s lets layers below it add only rules that reject, hold or defer", r.Field, r.Layer, r.Value, r.Lock)
	case r.Limit == "":
		return fmt.Sprintf("%s: %s adds %s: %s lets layers below it add none", r.Field, r.Layer, r.Value, r.Lock)
	case r.Mode == LockTighten:
		return fmt.Sprintf("%s: %s wants %s: %s lets layers below it only tighten %s", r.Field, r.Layer, r.Value, r.Lock, r.Limit)
	}
	return fmt.Sprintf("%s: %s wants %s: %s has locked %s", r.Field, r.Layer, r.Value, r.Lock, r.Limit)
}

// nothing is the name of the policy of a device that no layer is about.
const nothing = "nothing"

// Resolve makes one policy of the layers that are about d; the others are not looked at. For a tenant as a whole, d has a
// Tenant and nothing else. The order of layers does not matter. Without any, the policy has no rules and no rings: nothing is
// installed.
//
//   - Of most fields the nearest layer that sets it wins: device, group, then the tenants from the innermost out. The whole
//     list of rings or windows is one field.
//   - Two layers of one level that set a field differently: the greater priority wins, then the tighter value. If the field
//     knows no such order, that is an error which names both, unless a nearer layer sets the field.
//   - Rules, freezes, budgets, deadlines, exceptions and holds add up, the nearest first; rules in the order that [Combine] says. An
//     item whose name another layer has given to one of its own is called "layer/name".
//   - A [Lock] keeps out what it forbids, but never a rule that rejects or holds, nor a hold. What it kept out is in Refused.
//   - What is kept for a restart is left out if no device is restarted. The name is that of the nearest layer if none names the policy.
//
// An error means that a layer is not valid, or that their policies together are not. There is no Effective then, and nothing
// may be installed. What it returns shares memory with layers. Resolve is pure, and safe for concurrent use.
func Resolve(layers []Layer, d *inventory.Device) (*Effective, error) {
	var about []*Layer
	for i := range layers {
		if layers[i].Applies(d) {
			about = append(about, &layers[i])
		}
	}
	return resolve(about)
}

func resolve(layers []*Layer) (*Effective, error) {
	slices.SortFunc(layers, (*Layer).compare)
	names := make(map[string]*Layer, len(layers))
	for _, l := range layers {
		if err := l.Validate(); err != nil {
			return nil, fmt.Errorf("policy: layer %s: %w", l, err)
		}
		if o := names[l.Name]; o != nil {
			return nil, fmt.Errorf("policy: layers %s and %s have one name", o, l)
		}
		names[l.Name] = l
	}
	m := merger{layers: layers, e: &Effective{}, from: make(map[string]*Layer), locked: make(map[string]string)}
	for _, l := range layers {
		m.e.Layers = append(m.e.Layers, l.Name)
	}
	for _, s := range settings() {
		if !s.adds {
			if err := m.scalar(&s); err != nil {
				return nil, err
			}
		}
	}
	p := &m.e.Policy
	if p.Reboot.Mode == RebootNever {
		p.Fit.Reboot = 0
	}
	if p.Name == "" && len(layers) > 0 {
		p.Name = layers[len(layers)-1].Name
		m.from["name"] = layers[len(layers)-1]
	} else if p.Name == "" {
		p.Name = nothing
	}
	rules := gatherParts(&m, "rules", func(p *Policy) []Rule { return p.Rules }, (*Rule).identity)
	m.e.Combine.sort(rules)
	p.Rules = spread(&m, "rules", rules, (*Rule).identity)
	p.Freezes = spread(&m, "freezes", gatherParts(&m, "freezes", func(p *Policy) []Freeze { return p.Freezes }, (*Freeze).identity), (*Freeze).identity)
	p.Budgets = spread(&m, "budgets", gatherParts(&m, "budgets", func(p *Policy) []Budget { return p.Budgets }, (*Budget).identity), (*Budget).identity)
	p.Deadlines = spread(&m, "deadlines", gatherParts(&m, "deadlines", func(p *Policy) []Deadline { return p.Deadlines }, (*Deadline).identity), (*Deadline).identity)
	p.Exceptions = spread(&m, "exceptions", gatherParts(&m, "exceptions", func(p *Policy) []Exception { return p.Exceptions }, (*Exception).identity), (*Exception).identity)
	p.Holds = spread(&m, "holds", gatherParts(&m, "holds", func(p *Policy) []KnownIssue { return p.Holds }, (*KnownIssue).identity), (*KnownIssue).identity)
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("policy: layers %s together: %w", strings.Join(m.e.Layers, ", "), err)
	}
	m.finish()
	return m.e, nil
}

func (r *Rule) identity() *string       { return &r.Name }
func (f *Freeze) identity() *string     { return &f.Name }
func (l *Deadline) identity() *string   { return &l.Name }
func (e *Exception) identity() *string  { return &e.ID }
func (h *KnownIssue) identity() *string { return &h.ID }

// A merger makes an Effective of valid layers that stand from far to near.
type merger struct {
	layers []*Layer
	e      *Effective
	from   map[string]*Layer // by field
	locked map[string]string // by field: the last layer that has a lock on it
	items  []Origin
}

// A held field is one with a lock, as it stood there.
type held struct {
	by    *Layer
	mode  LockMode
	value *Layer // that has the value
}

// scalar finds the value of a field that the nearest layer decides.
func (m *merger) scalar(s *setting) error {
	value, from := &Layer{}, (*Layer)(nil)
	var locks []held
	var clash error
	for i := 0; i < len(m.layers); {
		end := i + 1
		for end < len(m.layers) && m.layers[i].above(m.layers[end]) == 0 {
			end++
		}
		level := m.layers[i:end]
		i = end
		var best *Layer
		var fight error
		for _, l := range level {
			if !l.Sets(s.path) || m.refuses(s, locks, l) {
				continue
			}
			switch {
			case best == nil || l.Priority > best.Priority: // in order of priority
				best, fight = l, nil
			case s.same(best, l):
			case s.order == nil:
				fight = fmt.Errorf("policy: layers %s and %s disagree about %s, %s or %s: give one of them a priority",
					best, l, s.path, s.text(best), s.text(l))
			case s.order(l) > s.order(best):
				best = l
			}
		}
		if best != nil {
			value, from, clash = best, best, fight
		}
		for _, l := range level {
			for _, k := range l.Locks {
				if !k.covers(s.path) {
					continue
				}
				if clash != nil {
					return clash
				}
				locks = append(locks, held{l, k.Mode, value})
				m.locked[s.path] = l.Name
			}
		}
	}
	if clash != nil {
		return clash
	}
	if s.path == "combine" {
		m.e.Combine = value.Combine
	} else {
		fieldOf(&m.e.Policy, s.path).Set(value.field(s.path))
	}
	m.from[s.path] = from
	return nil
}

// refuses says whether one of locks keeps out what l sets, and notes it.
func (m *merger) refuses(s *setting, locks []held, l *Layer) bool {
	for _, k := range locks {
		if s.same(k.value, l) || k.mode == LockTighten && s.order(l) >= s.order(k.value) {
			continue
		}
		m.e.Refused = append(m.e.Refused, Refusal{s.path, s.text(l), l.Name, k.by.Name, k.mode, s.text(k.value)})
		return true
	}
	return false
}

// same says whether two layers mean the same by a field, be it spelled out or the default.
func (s *setting) same(a, b *Layer) bool {
	return s.order != nil && s.order(a) == s.order(b) || reflect.DeepEqual(a.field(s.path).Interface(), b.field(s.path).Interface())
}

func (s *setting) text(l *Layer) string { return textOf(l.field(s.path)) }

// A part is an item of a list, and who put it there.
type part[T any] struct {
	value T
	layer *Layer
}

// gatherParts returns what the layers list and no lock keeps out, from near to far.
func gatherParts[T any](m *merger, path string, list func(*Policy) []T, identity func(*T) *string) []part[T] {
	var all []part[T]
	for i := len(m.layers) - 1; i >= 0; i-- {
		for _, v := range list(&m.layers[i].Policy) {
			all = append(all, part[T]{v, m.layers[i]})
		}
	}
	for _, l := range m.layers { // from far to near, so that the outermost lock is the one that is named
		for _, k := range l.Locks {
			if !k.covers(path) {
				continue
			}
			m.locked[path] = l.Name
			all = slices.DeleteFunc(all, func(p part[T]) bool {
				if l.above(p.layer) >= 0 {
					return false
				}
				if r, ok := any(&p.value).(*Rule); ok && (weightOf(r) == 0 || k.Mode == LockTighten && r.Verdict == Defer) {
					return false
				}
				m.e.Refused = append(m.e.Refused, Refusal{Field: path, Value: itemText(&p.value, identity), Layer: p.layer.Name, Lock: l.Name, Mode: k.Mode})
				return true
			})
		}
	}
	return all
}

// spread returns the items, each by a name of its own, and notes their origins.
func spread[T any](m *merger, path string, parts []part[T], identity func(*T) *string) []T {
	owners := make(map[string]int)
	shared, longer := false, false
	for i := range parts {
		owners[*identity(&parts[i].value)]++
	}
	for _, n := range owners {
		shared = shared || n > 1
	}
	for i := range parts { // a long name that somebody has already
		name := identity(&parts[i].value)
		longer = longer || shared && owners[parts[i].layer.Name+"/"+*name] > 0
	}
	var all []T
	for i := range parts {
		name := identity(&parts[i].value)
		if longer || owners[*name] > 1 {
			*name = parts[i].layer.Name + "/" + *name
		}
		all = append(all, parts[i].value)
		m.items = append(m.items, Origin{Field: index(path, i), Value: itemText(&parts[i].value, identity), Layer: parts[i].layer.Name, Lock: m.locked[path]})
	}
	return all
}

// finish notes the origins in the order of the fields.
func (m *merger) finish() {
	whole := Layer{Policy: m.e.Policy, Combine: m.e.Combine}
	for _, s := range settings() {
		some := false
		for _, o := range m.items {
			if strings.HasPrefix(o.Field, s.path+"[") {
				m.e.Origins = append(m.e.Origins, o)
				some = true
			}
		}
		if some {
			continue
		}
		o := Origin{Field: s.path, Value: s.text(&whole), Lock: m.locked[s.path]}
		if l := m.from[s.path]; l != nil {
			o.Layer = l.Name
		}
		m.e.Origins = append(m.e.Origins, o)
	}
}

// A Resolver resolves layers for many devices: once for each different set of layers, not once for each device, which takes
// a look-up for each part of the tenant's path and one match for each group or device layer there. It keeps what it has
// resolved: its memory grows with the number of different sets, not with that of devices.
//
// It is not safe for concurrent use; what it returns is, for good. Goroutines that share a fleet make one each over the same
// layers, which are only read: that costs each of them the resolving of the sets that it meets.
type Resolver struct {
	layers []Layer
	tenant map[inventory.Tenant][]int
	known  map[string]resolved
	key    []byte
}

type resolved struct {
	e   *Effective
	err error
}

// NewResolver returns a Resolver for layers, which must not change while it is in use. A layer that is not valid is an error
// for the devices that it is about, and for no others.
func NewResolver(layers []Layer) *Resolver {
	r := &Resolver{layers: layers, tenant: make(map[inventory.Tenant][]int), known: make(map[string]resolved)}
	for i := range layers {
		r.tenant[layers[i].Tenant] = append(r.tenant[layers[i].Tenant], i)
	}
	return r
}

// Resolve returns what [Resolve] does. Devices that the same layers are about get the same Effective, or the same error.
func (r *Resolver) Resolve(d *inventory.Device) (*Effective, error) {
	if d == nil {
		return Resolve(nil, nil)
	}
	r.key = r.key[:0]
	path := string(d.Tenant)
	for end := 0; end <= len(path); end++ { // every tenant that contains d
		if end > 0 && end < len(path) && path[end] != '/' {
			continue
		}
		for _, i := range r.tenant[inventory.Tenant(path[:end])] {
			if r.layers[i].Applies(d) {
				r.key = append(r.key, byte(i), byte(i>>8), byte(i>>16), byte(i>>24))
			}
		}
	}
	if known, ok := r.known[string(r.key)]; ok {
		return known.e, known.err
	}
	e, err := Resolve(r.layers, d)
	r.known[string(r.key)] = resolved{e, err}
	return e, err
}
