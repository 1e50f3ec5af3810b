package predicate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads the text form of an [Expr]. Errors are of type [*Error]; several are gathered. What is wrong with the words
// does not keep the rest from being checked; a text that goes against the grammar is read up to there.
func Parse(text string) (Expr, error) {
	p := parser{text: text}
	e := p.whole()
	p.locate()
	if err := p.err(); err != nil {
		return Expr{}, err
	}
	return e, nil
}

// MustParse is [Parse] for literals: it panics where that returns an error.
func MustParse(text string) Expr {
	e, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return e
}

// A token is a word, a quoted text, or a sign.
type token struct {
	kind tokenKind
	text string // of a quoted one without its quotes
	at   int    // offset
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted
	tokenSign
)

// is says whether t is this sign, or this bare word.
func (t token) is(text string) bool {
	return t.kind != tokenQuoted && t.kind != tokenEnd && t.text == text
}

func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenQuoted:
		return fmt.Sprintf("the text %q", clip(t.text))
	}
	return fmt.Sprintf("%q", clip(t.text))
}

// A parser reads one text. Its methods read from next on and leave next behind what they read.
type parser struct {
	checker
	text   string
	pos    int // behind next
	next   token
	nested int // parentheses and words that a nested expression follows
}

// errStop ends the reading of a text after a fault that cannot be read over. The fault is told already.
var errStop = errors.New("unreadable")

// place returns where the offset at is. Its line and column are counted only if there is a fault: see locate.
func (p *parser) place(at int) place { return place{offset: at} }

// locate gives the faults their lines and columns.
func (p *parser) locate() {
	for _, e := range p.all {
		before := p.text[:e.Offset]
		e.Line = strings.Count(before, "\n") + 1
		e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	}
}

func (p *parser) stop(at int, format string, args ...any) error {
	p.add(p.place(at), format, args...)
	return errStop
}

func (p *parser) whole() Expr {
	if len(p.text) > maxText {
		p.add(place{}, "%d bytes long: at most %d are allowed", len(p.text), maxText)
		return Expr{}
	}
	for i, r := range p.text {
		if _, size := utf8.DecodeRuneInString(p.text[i:]); r == utf8.RuneError && size == 1 {
			p.add(p.place(i), "not UTF-8")
			return Expr{}
		}
	}
	if err := p.advance(); err != nil || p.next.kind == tokenEnd {
		return Expr{}
	}
	e, err := p.joined(opAny)
	switch {
	case err != nil:
	case p.next.kind != tokenEnd:
		p.add(p.place(p.next.at), "want and, or, or the end, not %s", p.next)
	case e.depth() > maxDepth:
		p.add(p.place(0), "nested deeper than %d levels", maxDepth)
	}
	return e
}

// advance reads the next token.
func (p *parser) advance() error {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	from := p.pos
	p.next = token{at: from}
	if from == len(p.text) {
		return nil
	}
	switch c := p.text[from]; c {
	case '(', ')', ',', '=', '!', '<', '>':
		p.pos++
		if strings.HasPrefix(p.text[p.pos:], "=") && strings.IndexByte("!<>", c) >= 0 {
			p.pos++
		}
		p.next.kind, p.next.text = tokenSign, p.text[from:p.pos]
		return nil
	case '"':
		text, err := p.quoted()
		p.next.kind, p.next.text = tokenQuoted, text
		return err
	}
	p.word()
	if p.pos == from {
		r, _ := utf8.DecodeRuneInString(p.text[from:])
		return p.stop(from, "%q has no meaning here: put text in double quotes", string(r))
	}
	p.next.kind, p.next.text = tokenWord, p.text[from:p.pos]
	if p.next.text == "label." && strings.HasPrefix(p.text[p.pos:], `"`) {
		key, err := p.quoted()
		p.next.text += key
		return err
	}
	return nil
}

func (p *parser) word() {
	for p.pos < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.pos:])
		if !isWord(r) {
			return
		}
		p.pos += size
	}
}

func (p *parser) quoted() (string, error) {
	from := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), nil
		case '\\':
			p.pos++
			if p.pos == len(p.text) || p.text[p.pos] != '"' && p.text[p.pos] != '\\' {
				return "", p.stop(p.pos-1, `want \" or \\ within quotes`)
			}
			b.WriteByte(p.text[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.stop(from, "the quote is not closed")
}

// joined reads expressions with "or" between them, or with "and".
func (p *parser) joined(o op) (Expr, error) {
	word, part := "or", func() (Expr, error) { return p.joined(opAll) }
	if o == opAll {
		word, part = "and", p.unary
	}
	var args []Expr
	for {
		e, err := part()
		if err != nil {
			return Expr{}, err
		}
		args = append(args, e)
		if !p.next.is(word) {
			return join(o, args), nil
		}
		if err := p.advance(); err != nil {
			return Expr{}, err
		}
	}
}

// unary reads what stands between "and" and "or".
func (p *parser) unary() (Expr, error) {
	t := p.next
	if p.full() {
		return Expr{}, errStop
	}
	if t.kind != tokenWord && !t.is("(") {
		return Expr{}, p.stop(t.at, "want a field, not %s", t)
	}
	if err := p.advance(); err != nil {
		return Expr{}, err
	}
	switch {
	case t.is("("):
		return p.inner(t, func() (Expr, error) { return p.bracket() })
	case t.is("not"):
		return p.inner(t, func() (Expr, error) {
			e, err := p.unary()
			return Expr{op: opNot, args: []Expr{e}}, err
		})
	case t.is("true"):
		return Expr{op: opTrue}, nil
	case t.is("false"):
		return Expr{op: opFalse}, nil
	case t.is("any") && p.next.is("advisory"):
		if err := p.advance(); err != nil {
			return Expr{}, err
		}
		return p.inner(t, p.advisory)
	case t.is("exists"):
		name := p.next
		if name.kind != tokenWord || isKeyword(name.text) {
			return Expr{}, p.stop(name.at, "want a field after exists, not %s", name)
		}
		e := p.test(literal{name.text, p.place(name.at)}, opExists, p.place(t.at), nil)
		return e, p.advance()
	case isKeyword(t.text):
		return Expr{}, p.stop(t.at, "want a field, not %s", t)
	}
	return p.comparison(t)
}

// inner reads what t begins, one level deeper.
func (p *parser) inner(t token, read func() (Expr, error)) (Expr, error) {
	if p.nested++; p.nested > maxDepth {
		return Expr{}, p.stop(t.at, "nested deeper than %d levels", maxDepth)
	}
	defer func() { p.nested-- }()
	return read()
}

// bracket reads an expression and the bracket that closes it.
func (p *parser) bracket() (Expr, error) {
	e, err := p.joined(opAny)
	if err != nil {
		return Expr{}, err
	}
	if !p.next.is(")") {
		return Expr{}, p.stop(p.next.at, "want and, or, or a closing bracket, not %s", p.next)
	}
	return e, p.advance()
}

func (p *parser) advisory() (Expr, error) {
	if !p.next.is("(") {
		return Expr{}, p.stop(p.next.at, "want an opening bracket after any advisory, not %s", p.next)
	}
	if p.quantified {
		return Expr{}, p.stop(p.next.at, "any advisory stands within any advisory")
	}
	if err := p.advance(); err != nil {
		return Expr{}, err
	}
	p.quantified = true
	e, err := p.bracket()
	p.quantified = false
	return Expr{op: opAdvisory, args: []Expr{e}}, err
}

// comparison reads what follows the name of a field.
func (p *parser) comparison(t token) (Expr, error) {
	name := literal{t.text, p.place(t.at)}
	negate := p.next.is("not")
	if negate {
		if err := p.advance(); err != nil {
			return Expr{}, err
		}
	}
	at := p.next.at
	o, err := p.operator()
	if err != nil {
		return Expr{}, err
	}
	if negate && o != opIn && o != opPrefix && o != opGlob {
		return Expr{}, p.stop(at, "want in, prefix or glob after not; otherwise not stands before the field")
	}
	var values []literal
	opAt := name.at
	if o != opIs {
		opAt = p.place(at)
		if values, err = p.values(o); err != nil {
			return Expr{}, err
		}
	}
	e := p.test(name, o, opAt, values)
	if negate {
		e = Expr{op: opNot, args: []Expr{e}}
	}
	return e, nil
}

// operator reads an operator; there is none if a field stands alone.
func (p *parser) operator() (op, error) {
	if p.next.is("has") {
		if err := p.advance(); err != nil {
			return 0, err
		}
		o := op(slices.Index([]string{"any", "all", "none"}, p.next.text)) + opHasAny
		if p.next.kind != tokenWord || o < opHasAny {
			return 0, p.stop(p.next.at, "want any of, all of or none of after has, not %s", p.next)
		}
		if err := p.advance(); err != nil {
			return 0, err
		}
		if !p.next.is("of") {
			return 0, p.stop(p.next.at, "want of, not %s", p.next)
		}
		return o, p.advance()
	}
	for o := opEqual; o <= opGlob; o++ {
		if p.next.is(o.String()) {
			return o, p.advance()
		}
	}
	switch {
	case p.next.kind == tokenEnd, p.next.is("and"), p.next.is("or"), p.next.is(")"):
		return opIs, nil
	}
	return 0, p.stop(p.next.at, "want an operator, and, or, or the end, not %s", p.next)
}

// values reads one value, or those of a list.
func (p *parser) values(o op) ([]literal, error) {
	list := p.next.is("(")
	if !list && o.listed() {
		return nil, p.stop(p.next.at, "want a list in brackets after %s, not %s", o, p.next)
	}
	if !list {
		v, err := p.value()
		return []literal{v}, err
	}
	var values []literal
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if p.next.is(")") {
			return values, p.advance()
		}
		if !p.next.is(",") {
			return nil, p.stop(p.next.at, "want a comma or ) in the list, not %s", p.next)
		}
	}
}

func (p *parser) value() (literal, error) {
	t := p.next
	if t.kind != tokenQuoted && (t.kind != tokenWord || isKeyword(t.text)) {
		return literal{}, p.stop(t.at, "want a value, not %s", t)
	}
	return literal{t.text, p.place(t.at)}, p.advance()
}
