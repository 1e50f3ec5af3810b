package predicate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A literal is a value as it was written, and where.
type literal struct {
	text string
	at   place
}

// A checker makes typed expressions of what a reader found, and gathers what is wrong with them.
type checker struct {
	faults
	fields     *dictionary // made with the first comparison
	quantified bool        // within "any advisory (...)"
}

// test makes a comparison. After a fault it returns something that holds its place.
func (c *checker) test(name literal, o op, opAt place, values []literal) Expr {
	if c.fields == nil {
		c.fields = newDictionary()
	}
	f, _, ok := c.fields.find(name.text)
	if !ok {
		c.unknown(name)
		return Expr{op: opFalse}
	}
	if c.quantified && f.of != ofAdvisory {
		c.add(name.at, "%s is no field of an advisory: within any advisory (...) all fields are", clip(name.text))
	}
	if !f.kind.takes(o) {
		c.add(opAt, "%s", wrongOp(&f, name.text, o))
		return Expr{op: opFalse}
	}
	e := Expr{op: o, field: name.text, of: f.of, kind: f.kind}
	if want := o != opIs && o != opExists; !want && len(values) > 0 {
		c.add(values[0].at, "%s stands alone: want no value", clip(name.text))
	} else if want && len(values) == 0 {
		c.add(opAt, "%s %s needs a value", clip(name.text), o)
	} else if len(values) > 1 && !o.many() {
		c.add(values[1].at, "%s %s takes one value, not %d", clip(name.text), o, len(values))
	}
	if !utf8.ValidString(name.text) {
		c.add(name.at, "not UTF-8")
	}
	for _, v := range values {
		parsed, err := f.read(v.text)
		if !utf8.ValidString(v.text) {
			err = fmt.Errorf("not UTF-8")
		}
		if o == opPrefix && v.text == "" {
			err = fmt.Errorf("an empty prefix fits everything: write exists %s", f.name)
		}
		if o == opGlob && strings.HasSuffix(strings.ReplaceAll(v.text, `\\`, ""), `\`) {
			err = fmt.Errorf("the pattern %q ends in a backslash", clip(v.text))
		}
		if err != nil {
			c.add(v.at, "%s: %w", clip(name.text), err)
			continue
		}
		e.values = append(e.values, parsed)
	}
	return e
}

func (c *checker) unknown(name literal) {
	if name.text == "label." || name.text == "label" {
		c.add(name.at, "a label has a key: write label.KEY, or device.label for the keys")
		return
	}
	var known []string
	for _, f := range table() {
		if f.name != "label.KEY" {
			known = append(known, f.name)
		}
	}
	c.add(name.at, "unknown field %q%s", clip(name.text), didYouMean(name.text, known))
}

// wrongOp returns the text of an error, with what may be meant.
func wrongOp(f *field, name string, o op) string {
	name = clip(name)
	switch {
	case f.kind == kindTruth:
		return fmt.Sprintf("%s is true, false or unknown and stands alone: write %s, or not %s", name, name, name)
	case o == opIs:
		return fmt.Sprintf("%s is %s, which says nothing alone: want one of %s after it", name, f.kind.article(), opList(f.kind))
	case o == opUnequal && f.kind == kindList:
		return fmt.Sprintf("%s is a list, of which != would say little: write not %s = ..., or has none of", name, name)
	case o == opPrefix && f.kind == kindTenant:
		return fmt.Sprintf("%s is a tenant: = fits those below it too", name)
	default:
		return fmt.Sprintf("%s is %s, which has no %s: want one of %s", name, f.kind.article(), o, opList(f.kind))
	}
}

func (k kind) article() string {
	if k == kindAge {
		return "an age"
	}
	return "a " + k.String()
}

func opList(k kind) string {
	all := slices.DeleteFunc(k.operators(), func(o string) bool { return o == "" })
	return strings.Join(all, ", ")
}

// read reads a value of f's kind.
func (f *field) read(text string) (value, error) {
	switch f.kind {
	case kindWord, kindLevel:
		words := f.allWords()
		if i := slices.Index(words, text); i >= 0 {
			return value{text: text, num: float64(i + 1)}, nil
		}
		if text == f.word(0) {
			return value{}, fmt.Errorf("%s is no value: write not exists %s", text, f.name)
		}
		return value{}, fmt.Errorf("%q is none of %s%s", clip(text), strings.Join(words, ", "), didYouMean(text, words))
	case kindNumber:
		most := 1.
		if strings.HasSuffix(f.name, "cvss") {
			most = 10
		}
		n, err := readNumber(text)
		if err == nil && n > most {
			err = fmt.Errorf("%s is more than %v", text, most)
		}
		return value{text: strconv.FormatFloat(n, 'f', -1, 64), num: n}, err
	case kindSize:
		n, err := readSize(text)
		return value{text: writeSize(n), num: float64(n)}, err
	case kindAge:
		d, err := readAge(text)
		return value{text: writeAge(d), span: d}, err
	case kindRelease:
		if slices.Contains(strings.Split(text, "."), "") {
			return value{}, fmt.Errorf("%q is no version of an operating system: want parts with dots between them", clip(text))
		}
	case kindVersion:
		if text == "" {
			return value{}, fmt.Errorf("an empty text is no version")
		}
	}
	return value{text: text}, nil
}

// readNumber reads digits with a point among them, and nothing else that computers call numbers.
func readNumber(text string) (float64, error) {
	whole, fraction, point := strings.Cut(text, ".")
	n, err := strconv.ParseFloat(text, 64)
	if !digits(whole) || point && !digits(fraction) || err != nil {
		return 0, fmt.Errorf("%q is no number: want for example 0.5 or 7", clip(text))
	}
	return n, nil
}

func digits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// A unit is a name for many of something.
type unit struct {
	name string
	size int64
}

// sizes returns the units of sizes, in the order in which a canonical form prefers them.
func sizes() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"", 1},
	}
}

// maxSize bounds sizes, so that each is exact as a floating point number.
const maxSize = 1 << 53

func readSize(text string) (int64, error) {
	number := strings.TrimRight(text, "TGMKiB")
	if digits(number) {
		for _, u := range sizes() {
			n, err := strconv.ParseInt(number, 10, 64)
			if text[len(number):] == u.name && err == nil && n <= maxSize/u.size {
				return n * u.size, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no size: want for example 500MB, 2GiB or a number of bytes", clip(text))
}

func writeSize(n int64) string {
	for _, u := range sizes() {
		if n%u.size == 0 && n > 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return "0"
}

func spans() []unit {
	return []unit{{"d", 24 * 3600e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}}
}

// readAge reads whole numbers with units, from days down and each at most once: the form of policy.Duration without
// fractions.
func readAge(text string) (int64, error) {
	wrong := func(what string) (int64, error) { return 0, fmt.Errorf("%q is no age: %s", clip(text), what) }
	units := spans()
	rest, total := text, int64(0)
	for ok := true; ok || rest != ""; ok = false {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 0 || n == len(rest) {
			return wrong("want for example 36h, 7d or 1d12h")
		}
		i := slices.IndexFunc(units, func(u unit) bool { return u.name == rest[n:n+1] })
		if i < 0 {
			return wrong("units go from d to h, m and s, each at most once")
		}
		count, err := strconv.ParseInt(rest[:n], 10, 64)
		if err != nil || count > (math.MaxInt64-total)/units[i].size {
			return wrong("it is too long")
		}
		total += count * units[i].size
		rest, units = rest[n+1:], units[i+1:]
	}
	return total, nil
}

func writeAge(d int64) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range spans() {
		if n := d / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + u.name)
			d %= u.size
		}
	}
	return b.String()
}
