package predicate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// A Predicate is an [Expr] made ready to be evaluated often. It is immutable and safe for concurrent use. The zero
// Predicate holds for nothing, as the zero Expr does.
type Predicate struct {
	expr  Expr
	needs Needs
	eval  evaluator
	full  evaluator // the same for facts that have all that is needed
}

// An evaluator is an expression as a function.
type evaluator func(f facts) patch.Tri

// Compile makes e ready to be evaluated.
func Compile(e Expr) *Predicate {
	fields := newDictionary()
	return &Predicate{e, e.Needs(), compiler{fields: fields}.compile(e), compiler{fields, true}.compile(e)}
}

// Expr returns what p was compiled from.
func (p *Predicate) Expr() Expr { return p.expr }

// Eval says whether p holds for f: yes, no, or unknown if that depends on something that is not known. It allocates nothing.
func (p *Predicate) Eval(f Facts) patch.Tri {
	switch {
	case p.eval == nil:
		return patch.No
	case p.needs.Patch && f.Patch == nil, p.needs.Device && f.Device == nil, p.needs.Finding && f.Finding == nil:
		return p.eval(facts{Facts: f})
	}
	return p.full(facts{Facts: f})
}

// Matches says whether p is known to hold for f. It is what a rule asks that lets something happen.
func (p *Predicate) Matches(f Facts) bool { return p.Eval(f) == patch.Yes }

// MayMatch says whether p is not known not to hold for f. It is what a rule asks that keeps something from happening.
func (p *Predicate) MayMatch(f Facts) bool { return p.Eval(f) != patch.No }

// Needs says which facts an expression asks for. What it does not need may be left out of [Facts].
type Needs struct {
	Patch, Device, Finding, Now bool
}

// Needs returns what e asks for.
func (e Expr) Needs() (n Needs) {
	if e.op >= opIs {
		n.Patch = e.of == ofPatch || e.of == ofAdvisory
		n.Device = e.of == ofDevice
		n.Finding = e.of == ofFinding
		n.Now = e.kind == kindAge && e.op != opExists
	}
	if e.op == opAdvisory {
		n.Patch = true
	}
	for _, a := range e.args {
		m := a.Needs()
		n = Needs{n.Patch || m.Patch, n.Device || m.Device, n.Finding || m.Finding, n.Now || m.Now}
	}
	return n
}

// A compiler makes functions of expressions. They look for what is missing, unless full says that nothing is.
type compiler struct {
	fields *dictionary
	full   bool
}

func (c compiler) compile(e Expr) evaluator {
	switch e.op {
	case opTrue:
		return func(facts) patch.Tri { return patch.Yes }
	case opNone, opFalse:
		return func(facts) patch.Tri { return patch.No }
	case opNot:
		arg := c.compile(e.args[0])
		return func(f facts) patch.Tri { return not(arg(f)) }
	case opAll:
		return conjunction(c.all(e.args))
	case opAny:
		return disjunction(c.all(e.args))
	case opAdvisory:
		return anyAdvisory(c.compile(e.args[0]), patch.Unknown)
	}
	return c.comparison(e)
}

func (c compiler) all(args []Expr) []evaluator {
	all := make([]evaluator, len(args))
	for i, a := range args {
		all[i] = c.compile(a)
	}
	return all
}

func conjunction(args []evaluator) evaluator {
	return func(f facts) patch.Tri {
		all := patch.Yes
		for _, arg := range args {
			switch arg(f) {
			case patch.No:
				return patch.No
			case patch.Unknown:
				all = patch.Unknown
			}
		}
		return all
	}
}

func disjunction(args []evaluator) evaluator {
	return func(f facts) patch.Tri {
		all := patch.No
		for _, arg := range args {
			switch arg(f) {
			case patch.Yes:
				return patch.Yes
			case patch.Unknown:
				all = patch.Unknown
			}
		}
		return all
	}
}

// anyAdvisory makes of what looks at one advisory what looks at all of a patch. Without any the result is none.
func anyAdvisory(one evaluator, none patch.Tri) evaluator {
	return func(f facts) patch.Tri {
		if f.Patch == nil {
			return patch.Unknown
		}
		if len(f.Patch.Advisories) == 0 {
			return none
		}
		all := patch.No
		for i := range f.Patch.Advisories {
			f.advisory = &f.Patch.Advisories[i]
			switch one(f) {
			case patch.Yes:
				return patch.Yes
			case patch.Unknown:
				all = patch.Unknown
			}
		}
		return all
	}
}

// comparison compiles what is about one field. The functions that it calls are only called with what the field belongs to.
func (c compiler) comparison(e Expr) evaluator {
	f, key, _ := c.fields.find(e.field)
	var test evaluator
	switch f.kind {
	case kindTruth:
		test = f.truths(e)
	case kindText, kindTenant:
		if key != "" {
			test = labels(e, key)
		} else {
			test = f.texts(e)
		}
	case kindRelease:
		test = f.releases(e)
	case kindWord, kindLevel:
		test = f.words(e)
	case kindNumber, kindSize:
		test = f.numbers(e)
	case kindAge:
		test = f.ages(e)
	case kindVersion:
		test = f.installed(e)
	default:
		test = f.lists(e)
	}
	switch {
	case c.full && f.of != ofAdvisory:
		return test
	case f.of == ofDevice:
		return func(f facts) patch.Tri {
			if f.Device == nil {
				return patch.Unknown
			}
			return test(f)
		}
	case f.of == ofFinding:
		return func(f facts) patch.Tri {
			if f.Finding == nil {
				return patch.Unknown
			}
			return test(f)
		}
	case f.of == ofAdvisory:
		none := patch.Unknown
		if e.op == opExists {
			none = patch.No
		}
		outside := anyAdvisory(test, none)
		return func(f facts) patch.Tri {
			if f.advisory == nil {
				return outside(f)
			}
			return test(f)
		}
	}
	return func(f facts) patch.Tri {
		if f.Patch == nil {
			return patch.Unknown
		}
		return test(f)
	}
}

func (f *field) truths(e Expr) evaluator {
	truth := f.truth
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(truth(f) != patch.Unknown) }
	}
	return truth
}

func (f *field) words(e Expr) evaluator {
	value := f.value
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(value(f) != 0) }
	}
	var mask uint64 // the values for which it holds
	for v := range len(f.allWords()) + 1 {
		for _, want := range e.values {
			if e.op.orders().has(cmp.Compare(v, int(want.num))) == patch.Yes {
				mask |= 1 << v
			}
		}
	}
	return func(f facts) patch.Tri {
		v := value(f)
		if v == 0 {
			return patch.Unknown
		}
		return patch.TriOf(mask>>uint(v)&1 == 1)
	}
}

func (f *field) numbers(e Expr) evaluator {
	num := f.num
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(num(f) != 0) }
	}
	orders, want := e.op.orders(), e.values[0].num
	return func(f facts) patch.Tri {
		n := num(f)
		if n == 0 {
			return patch.Unknown
		}
		return orders.has(cmp.Compare(n, want))
	}
}

func (f *field) ages(e Expr) evaluator {
	since := f.since
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(!since(f).IsZero()) }
	}
	orders, want := e.op.orders(), time.Duration(e.values[0].span)
	return func(f facts) patch.Tri {
		t := since(f)
		if t.IsZero() || f.Now.IsZero() {
			return patch.Unknown
		}
		return orders.has(f.Now.Compare(t.Add(want)))
	}
}

func (f *field) texts(e Expr) evaluator {
	text, tenant := f.text, f.kind == kindTenant
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(tenant || text(f) != "") }
	}
	test, negate := e.matcher(tenant), e.op == opUnequal
	if len(e.values) == 1 && !tenant && (e.op == opEqual || e.op == opUnequal) { // most of them: a call less
		want := e.values[0].text
		return func(f facts) patch.Tri {
			s := text(f)
			if s == "" {
				return patch.Unknown
			}
			return patch.TriOf((s == want) != negate)
		}
	}
	return func(f facts) patch.Tri {
		s := text(f)
		if s == "" && !tenant {
			return patch.Unknown
		}
		return patch.TriOf(test(s) != negate)
	}
}

// labels compiles what is about the label key. Its empty value is a value.
func labels(e Expr, key string) evaluator {
	if e.op == opExists {
		return func(f facts) patch.Tri {
			_, ok := f.Device.Labels[key]
			return patch.TriOf(ok)
		}
	}
	test, negate := e.matcher(false), e.op == opUnequal
	return func(f facts) patch.Tri {
		s, ok := f.Device.Labels[key]
		if !ok {
			return patch.Unknown
		}
		return patch.TriOf(test(s) != negate)
	}
}

func (f *field) releases(e Expr) evaluator {
	text := f.text
	if e.op == opExists {
		return func(f facts) patch.Tri { return patch.TriOf(text(f) != "") }
	}
	o, orders := e.op, e.op.orders()
	one := func(s, want string) patch.Tri {
		order, known, differ := release(s, want)
		switch {
		case known:
			return orders.has(order)
		case differ && (o == opEqual || o == opIn):
			return patch.No
		case differ && o == opUnequal:
			return patch.Yes
		}
		return patch.Unknown
	}
	values := e.values
	return func(f facts) patch.Tri {
		s := text(f)
		if s == "" {
			return patch.Unknown
		}
		all := patch.No
		for i := range values {
			switch one(s, values[i].text) {
			case patch.Yes:
				return patch.Yes
			case patch.Unknown:
				all = patch.Unknown
			}
		}
		return all
	}
}

func (f *field) lists(e Expr) evaluator {
	each := f.each
	switch e.op {
	case opExists:
		something := func(string) bool { return true }
		return func(f facts) patch.Tri { return patch.TriOf(each(f, something) == patch.Yes) }
	case opHasAll:
		var all []evaluator
		for _, v := range e.values {
			test := func(s string) bool { return s == v.text }
			all = append(all, func(f facts) patch.Tri { return each(f, test) })
		}
		return conjunction(all)
	}
	test := e.matcher(false)
	if e.op == opHasNone {
		return func(f facts) patch.Tri { return not(each(f, test)) }
	}
	return func(f facts) patch.Tri { return each(f, test) }
}

func (f *field) installed(e Expr) evaluator {
	versions := f.versions
	if e.op == opExists {
		something := func(version.Version) patch.Tri { return patch.Yes }
		return func(f facts) patch.Tri { return patch.TriOf(versions(f, something) == patch.Yes) }
	}
	orders, want := e.op.orders(), e.values[0].text
	test := func(v version.Version) patch.Tri {
		order, err := version.Compare(v, version.Version{Scheme: v.Scheme, Text: want})
		if err != nil {
			return patch.Unknown
		}
		return orders.has(sign(order))
	}
	return func(f facts) patch.Tri { return versions(f, test) }
}

// matcher returns whether a text is what e compares with, whether e asks for that or for the contrary.
func (e Expr) matcher(tenant bool) func(string) bool {
	var one func(s, want string) bool
	switch {
	case e.op == opPrefix && len(e.values) == 1:
		want := e.values[0].text
		return func(s string) bool { return strings.HasPrefix(s, want) }
	case e.op == opPrefix:
		one = strings.HasPrefix
	case e.op == opGlob:
		one = func(s, pattern string) bool { return like(pattern, s) }
	case tenant:
		one = within
	default:
		return equal(e.values)
	}
	wants := make([]string, len(e.values))
	for i, v := range e.values {
		wants[i] = v.text
	}
	if len(wants) == 1 {
		want := wants[0]
		return func(s string) bool { return one(s, want) }
	}
	return func(s string) bool {
		return slices.ContainsFunc(wants, func(want string) bool { return one(s, want) })
	}
}

// equal returns whether a text is one of values. A long list is looked up, a short one is faster to go through.
func equal(values []value) func(string) bool {
	const short = 4
	switch {
	case len(values) == 1:
		want := values[0].text
		return func(s string) bool { return s == want }
	case len(values) <= short:
		return func(s string) bool {
			for i := range values {
				if values[i].text == s {
					return true
				}
			}
			return false
		}
	}
	set := make(map[string]struct{}, len(values))
	for _, v := range values {
		set[v.text] = struct{}{}
	}
	return func(s string) bool {
		_, ok := set[s]
		return ok
	}
}
