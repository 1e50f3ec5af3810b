package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Selector picks devices by their labels and by facts about them. It is written as terms parted by commas, all of
// which must hold:
//
//	key=value           the label key has this value
//	key!=value          it has another value, or the device has no such label
//	key in (a, b)       it has one of these values
//	key notin (a, b)    it has none of these values, or the device has no such label
//	key                 the device has the label
//	!key                the device does not have it
//	*                   every device; it stands alone
//
// That != and notin also match devices without the label is the rule of Kubernetes; write "key,key!=value" to leave
// them out. A value that ends in * stands for everything that begins so: "site=eu-*"; "key=*" is the same as "key".
//
// Keys that begin with "device." are facts, not labels: device.id, device.name (the ID for a device without a name),
// device.tenant (the tenant or one above it; "" only itself), device.os, device.version, device.arch, device.zone and
// device.exposure. A fact that is unknown counts as missing, as a label would, and is equal to the value "" (for
// device.exposure: unknown). Any other key that begins so is an error.
//
// Words are made of letters, digits and -_./:@+~ and compared exactly; anything else is put in double quotes, in which
// \" is a quote and \\ a backslash.
//
// The zero Selector, written "", matches no device. A Selector is immutable and safe for concurrent use.
type Selector struct {
	all   bool
	terms []term // sorted, each once
}

type term struct {
	key    string
	field  field
	negate bool
	has    bool     // only whether there is a value
	exact  []string // sorted, each once
	prefix []string // sorted, each once
}

type field uint8

const (
	fieldLabel field = iota
	fieldID
	fieldName
	fieldTenant
	fieldOS
	fieldVersion
	fieldArch
	fieldZone
	fieldExposure
)

// All returns the Selector "*", which matches every device.
func All() Selector { return Selector{all: true} }

// maxSelector bounds the text of a selector, in bytes. It leaves room for a list of a few thousand devices.
const maxSelector = 1 << 17

// ParseSelector reads the text form of a [Selector]. An error says at which character the text goes wrong.
func ParseSelector(text string) (Selector, error) {
	if len(text) > maxSelector {
		return Selector{}, fmt.Errorf("inventory: selector of %d bytes: at most %d are allowed", len(text), maxSelector)
	}
	p := selectorParser{text: text}
	s, err := p.selector()
	if err != nil {
		return Selector{}, err
	}
	return s, nil
}

// MustSelector is [ParseSelector] for literals: it panics where that returns an error.
func MustSelector(text string) Selector {
	s, err := ParseSelector(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Matches says whether s picks d. It allocates nothing. No Selector picks a nil Device.
func (s Selector) Matches(d *Device) bool {
	if d == nil {
		return false
	}
	if s.all {
		return true
	}
	for i := range s.terms {
		if !s.terms[i].matches(d) {
			return false
		}
	}
	return len(s.terms) > 0
}

// IsZero says whether s is the zero Selector.
func (s Selector) IsZero() bool { return !s.all && len(s.terms) == 0 }

// Equal says whether s and o are written the same in their canonical form.
func (s Selector) Equal(o Selector) bool {
	return s.all == o.all && slices.EqualFunc(s.terms, o.terms, func(a, b term) bool { return a.compare(b) == 0 })
}

// String returns the canonical form: terms and values sorted, each once, quoted where they must be. [ParseSelector] reads
// it back to an equal Selector.
func (s Selector) String() string {
	if s.all {
		return "*"
	}
	var b strings.Builder
	for i := range s.terms {
		if i > 0 {
			b.WriteByte(',')
		}
		s.terms[i].write(&b)
	}
	return b.String()
}

// MarshalText implements [encoding.TextMarshaler] with the canonical form.
func (s Selector) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. See [ParseSelector].
func (s *Selector) UnmarshalText(text []byte) error {
	parsed, err := ParseSelector(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

func (t *term) matches(d *Device) bool {
	value, found := t.field.value(d, t.key)
	if t.has {
		return found != t.negate
	}
	return t.oneOf(value, found) != t.negate
}

func (t *term) oneOf(value string, found bool) bool {
	if !found && t.field == fieldLabel {
		return false
	}
	if _, equal := slices.BinarySearch(t.exact, value); equal {
		return true
	}
	if !found {
		return false
	}
	if t.field == fieldTenant {
		for _, v := range t.exact {
			if v != "" && Tenant(v).Contains(Tenant(value)) {
				return true
			}
		}
	}
	for _, v := range t.prefix {
		if strings.HasPrefix(value, v) {
			return true
		}
	}
	return false
}

// value returns the text of a label or fact of d, and whether there is one.
func (f field) value(d *Device, key string) (string, bool) {
	var value string
	switch f {
	case fieldLabel:
		v, found := d.Labels[key]
		return v, found
	case fieldID:
		value = string(d.ID)
	case fieldName:
		value = cmp.Or(d.Name, string(d.ID))
	case fieldTenant:
		value = string(d.Tenant)
	case fieldOS:
		value = d.Platform.OS
	case fieldVersion:
		value = d.Platform.Version
	case fieldArch:
		value = d.Platform.Arch
	case fieldZone:
		value = d.Zone
	case fieldExposure:
		return d.Exposure.String(), d.Exposure != ExposureUnknown
	}
	return value, value != ""
}

func noFact(key string) string {
	return key + " is no fact about a device: want device.id, .name, .tenant, .os, .version, .arch, .zone or .exposure"
}

// CheckKey says whether key is one that a [Selector] may name: a label, or a fact that begins with "device.".
func CheckKey(key string) error {
	if key == "" {
		return errors.New("inventory: the key is empty")
	}
	if _, known := fieldOf(key); !known {
		return errors.New("inventory: " + noFact(key))
	}
	return nil
}

// Value returns what d has under a key of a [Selector]: the value of a label, or a fact such as device.os. The result is false for a
// label that d lacks, for a fact that is unknown, and for a key that [CheckKey] refuses.
func (d *Device) Value(key string) (string, bool) {
	f, known := fieldOf(key)
	if !known {
		return "", false
	}
	return f.value(d, key)
}

func fieldOf(key string) (field, bool) {
	if !strings.HasPrefix(key, "device.") {
		return fieldLabel, true
	}
	switch key {
	case "device.id":
		return fieldID, true
	case "device.name":
		return fieldName, true
	case "device.tenant":
		return fieldTenant, true
	case "device.os":
		return fieldOS, true
	case "device.version":
		return fieldVersion, true
	case "device.arch":
		return fieldArch, true
	case "device.zone":
		return fieldZone, true
	case "device.exposure":
		return fieldExposure, true
	}
	return 0, false
}

func (t term) compare(o term) int {
	return cmp.Or(
		strings.Compare(t.key, o.key),
		cmp.Compare(toInt(t.has), toInt(o.has)),
		cmp.Compare(toInt(t.negate), toInt(o.negate)),
		slices.Compare(t.exact, o.exact),
		slices.Compare(t.prefix, o.prefix),
	)
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (t *term) write(b *strings.Builder) {
	if t.has && t.negate {
		b.WriteByte('!')
	}
	writeWord(b, t.key)
	if t.has {
		return
	}
	if len(t.exact)+len(t.prefix) == 1 {
		if t.negate {
			b.WriteByte('!')
		}
		b.WriteByte('=')
		t.writeValues(b)
		return
	}
	if t.negate {
		b.WriteString(" notin (")
	} else {
		b.WriteString(" in (")
	}
	t.writeValues(b)
	b.WriteByte(')')
}

func (t *term) writeValues(b *strings.Builder) {
	for i, v := range t.exact {
		if i > 0 {
			b.WriteByte(',')
		}
		writeWord(b, v)
	}
	for i, v := range t.prefix {
		if i > 0 || len(t.exact) > 0 {
			b.WriteByte(',')
		}
		if v != "" {
			writeWord(b, v)
		}
		b.WriteByte('*')
	}
}

func writeWord(b *strings.Builder, word string) {
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !isWord(r) }) < 0 {
		b.WriteString(word)
		return
	}
	b.WriteByte('"')
	for _, r := range word {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
}

func isWord(r rune) bool {
	switch r {
	case '-', '_', '.', '/', ':', '@', '+', '~':
		return true
	case utf8.RuneError:
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// A selectorParser reads one selector. Its methods leave pos behind what they read.
type selectorParser struct {
	text string
	pos  int
}

func (p *selectorParser) errorf(at int, format string, args ...any) error {
	return fmt.Errorf("inventory: selector %s: character %d: %s",
		shorten(p.text), utf8.RuneCountInString(p.text[:at])+1, fmt.Sprintf(format, args...))
}

func shorten(text string) string {
	const most = 80
	if utf8.RuneCountInString(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q...", string([]rune(text)[:most]))
}

func (p *selectorParser) blanks() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// accept reads token, after blanks, if it comes next.
func (p *selectorParser) accept(token string) bool {
	p.blanks()
	if !strings.HasPrefix(p.text[p.pos:], token) {
		return false
	}
	p.pos += len(token)
	return true
}

// here names what comes next, for errors.
func (p *selectorParser) here() string {
	p.blanks()
	if p.pos == len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return fmt.Sprintf("%q", string(r))
}

func (p *selectorParser) selector() (Selector, error) {
	if i := invalidUTF8(p.text); i >= 0 {
		return Selector{}, p.errorf(i, "not UTF-8")
	}
	p.blanks()
	if p.pos == len(p.text) {
		return Selector{}, nil
	}
	if p.accept("*") {
		if p.blanks(); p.pos < len(p.text) {
			return Selector{}, p.errorf(p.pos, "* stands alone, but %s follows", p.here())
		}
		return All(), nil
	}
	var s Selector
	for {
		t, err := p.term()
		if err != nil {
			return Selector{}, err
		}
		s.terms = append(s.terms, t)
		if p.blanks(); p.pos == len(p.text) {
			break
		}
		if !p.accept(",") {
			return Selector{}, p.errorf(p.pos, "want a comma or the end, not %s", p.here())
		}
	}
	slices.SortFunc(s.terms, term.compare)
	s.terms = slices.CompactFunc(s.terms, func(a, b term) bool { return a.compare(b) == 0 })
	return s, nil
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

func (p *selectorParser) term() (term, error) {
	var t term
	t.negate = p.accept("!")
	p.blanks()
	at := p.pos
	key, err := p.word("a key")
	if err != nil {
		return term{}, err
	}
	if key == "" {
		return term{}, p.errorf(at, "the key is empty")
	}
	f, known := fieldOf(key)
	if !known {
		return term{}, p.errorf(at, "%s", noFact(key))
	}
	t.key, t.field = key, f
	if t.negate {
		t.has = true
		return t, nil
	}
	switch {
	case p.accept("!="):
		t.negate = true
		return t.with(p, false)
	case p.accept("="):
		return t.with(p, false)
	}
	p.blanks()
	if p.pos == len(p.text) || p.text[p.pos] == ',' {
		t.has = true
		return t, nil
	}
	at = p.pos
	operator, err := p.word("an operator")
	switch {
	case err == nil && p.text[at] != '"' && operator == "in":
		return t.with(p, true)
	case err == nil && p.text[at] != '"' && operator == "notin":
		t.negate = true
		return t.with(p, true)
	}
	p.pos = at
	return term{}, p.errorf(at, "want =, !=, in, notin or a comma after %s, not %s", key, p.here())
}

// with reads the values of t: one, or a list in brackets.
func (t term) with(p *selectorParser, list bool) (term, error) {
	if list && !p.accept("(") {
		return term{}, p.errorf(p.pos, "want a list in brackets, not %s", p.here())
	}
	for {
		p.blanks()
		at := p.pos
		value, prefix := "", false
		if p.pos < len(p.text) && p.text[p.pos] == '*' {
			prefix = true
		} else {
			var err error
			if value, err = p.word("a value"); err != nil {
				return term{}, err
			}
			prefix = p.pos < len(p.text) && p.text[p.pos] == '*'
		}
		if prefix {
			p.pos++
			t.prefix = append(t.prefix, value)
		} else {
			if t.field == fieldExposure {
				var e Exposure
				if err := e.UnmarshalText([]byte(value)); err != nil {
					return term{}, p.errorf(at, "%v", err)
				}
			}
			t.exact = append(t.exact, value)
		}
		if !list || p.accept(")") {
			break
		}
		if !p.accept(",") {
			return term{}, p.errorf(p.pos, "want a comma or ) in the list, not %s", p.here())
		}
	}
	slices.Sort(t.exact)
	slices.Sort(t.prefix)
	t.exact, t.prefix = slices.Compact(t.exact), slices.Compact(t.prefix)
	return t, nil
}

// word reads a bare or a quoted word; what says what it is, for errors.
func (p *selectorParser) word(what string) (string, error) {
	p.blanks()
	from := p.pos
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		return p.quoted()
	}
	for p.pos < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.pos:])
		if !isWord(r) {
			break
		}
		p.pos += size
	}
	if p.pos == from {
		return "", p.errorf(from, "want %s, not %s", what, p.here())
	}
	return p.text[from:p.pos], nil
}

func (p *selectorParser) quoted() (string, error) {
	from := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), nil
		case '\\':
			p.pos++
			if p.pos == len(p.text) || (p.text[p.pos] != '"' && p.text[p.pos] != '\\') {
				return "", p.errorf(p.pos-1, `want \" or \\ within quotes`)
			}
			b.WriteByte(p.text[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.errorf(from, "the quote is not closed")
}
