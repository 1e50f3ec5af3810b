package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/internal/jsonnode"
)

const (
	maxDocument = 1 << 20 // bytes
	maxFaults   = 100     // reported of one document
	maxDepth    = 64      // how deep a JSON document may be nested; a policy needs seven levels
)

// Decode reads one policy from a YAML or JSON document of at most 1 MiB. The name stands in errors: a file name, or "".
//
// It is strict. A field that there is not or that stands twice, a value of another type, a required field left out, an
// empty list, a field without a value and a second document are errors, and so is everything that [Policy.Validate]
// finds. What is wrong is reported together, up to a hundred faults, each as a [FieldError]; what follows from another
// fault is left out. With an error comes the zero Policy.
//
// Text that YAML reads as something else (a number, true, a date) needs quotes where text is wanted. Anchors and aliases
// may be used, merge keys may not. An empty list is refused because some fields would take it for "every one" and a
// reader for "none".
//
// What is valid and yet unwise is not looked at: [Load] does both.
func Decode(r io.Reader, name string) (Policy, error) {
	p, _, err := readDocument(r, name)
	return p, err
}

// Load reads one policy as [Decode] does, and holds it against f as [Lint] does: whoever loads a policy is told what is unwise
// about it, and above all which of its deadlines its windows, freezes and soaks do not let it meet. Each warning says where in
// the document it is from. A warning refuses nothing, because a deadline that cannot be met is still one that counts: the
// policy is as good as one that Decode returns. With an error come neither policy nor warnings.
//
// The openings looked at begin with f.Now, which has to be set for what a year brings to be judged. A document that is one
// layer of several is judged by what it comes to: [Lint] takes the Policy of an [Effective].
func Load(r io.Reader, name string, f LintFacts) (Policy, []Warning, error) {
	p, nodes, err := readDocument(r, name)
	if err != nil {
		return Policy{}, nil, err
	}
	if f.Now.IsZero() {
		return Policy{}, nil, &FieldError{File: name, Err: errors.New("cannot be judged: LintFacts.Now is missing")}
	}
	warnings := Lint(&p, f)
	for i := range warnings {
		w := &warnings[i]
		w.File = name
		w.Line, w.Column = nodes.at(w.Path)
	}
	return p, warnings, nil
}

// readDocument returns the nodes too, which know where every field stands.
func readDocument(r io.Reader, name string) (Policy, *nodeReader, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return Policy{}, nil, &FieldError{File: name, Err: fmt.Errorf("cannot be read: %w", err)}
	}
	if len(data) > maxDocument {
		return Policy{}, nil, &FieldError{File: name, Err: fmt.Errorf("the document is larger than %d bytes", maxDocument)}
	}
	root, fault := parse(data)
	if fault != nil {
		fault.File = name
		return Policy{}, nil, fault
	}
	var p Policy
	reader := newNodeReader()
	reader.read(root, &p)
	faults := reader.faults
	if !reader.full() {
		faults = append(faults, reader.place(p.faults())...)
	}
	if len(faults) == 0 {
		return p, reader, nil
	}
	slices.SortStableFunc(faults, func(a, b *FieldError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults:maxFaults], &FieldError{Err: errors.New("there are more faults than these")})
	}
	for _, f := range faults {
		f.File = name
	}
	return Policy{}, nil, gather(faults)
}

// Encode writes p as YAML, which [Decode] reads back to an equal Policy, empty lists becoming nil. So does what
// [encoding/json.Marshal] makes of a valid policy. A policy that [Policy.Validate] refuses is not written.
func Encode(w io.Writer, p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(p); err != nil {
		return fmt.Errorf("policy: %s: %w", p.Name, err)
	}
	return e.Close()
}

// parse returns the root node of the one document in data.
func parse(data []byte) (*yaml.Node, *FieldError) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return nil, &FieldError{Line: 1 + bytes.Count(data[:i], []byte("\n")), Err: errors.New("not UTF-8")}
		}
		i += size
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return parseYAML(data)
	}
	// YAML's own reader refuses some JSON (escaped surrogates), and JSON's some YAML that begins with a brace.
	root, err := jsonnode.Read(data, maxDepth)
	if err == nil {
		return root, nil
	}
	if other, fault := parseYAML(data); fault == nil {
		return other, nil
	}
	return nil, &FieldError{Line: err.Line, Column: err.Column, Err: err.Err}
}

// parseYAML returns the root node of the one YAML document in data.
func parseYAML(data []byte) (root *yaml.Node, fault *FieldError) {
	in := &lineReader{rest: data}
	// The parser panics on what its author held to be impossible.
	defer func() {
		if r := recover(); r != nil {
			root, fault = nil, &FieldError{Line: in.line(), Err: fmt.Errorf("not readable as YAML near here: %v", r)}
		}
	}()
	d := yaml.NewDecoder(in)
	var doc, next yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && isEmpty(&doc) {
		return nil, &FieldError{Err: errors.New("the document is empty")}
	}
	if err == nil {
		switch err = d.Decode(&next); {
		case err == nil:
			return nil, &FieldError{Line: next.Line, Column: next.Column, Err: errors.New("a second document: want one")}
		case errors.Is(err, io.EOF):
			return doc.Content[0], nil
		}
	}
	line, text := in.line(), strings.TrimPrefix(err.Error(), "yaml: ")
	// What the scanner says of lines is exact. The parser names the line where the surrounding block begins, counted
	// from 0: how far it has read says more.
	if number, rest, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(number, "line ") {
		text = rest
		if n, err := strconv.Atoi(number[len("line "):]); err == nil && !strings.HasPrefix(rest, "did not find expected") {
			line = n
		}
	}
	return nil, &FieldError{Line: line, Err: fmt.Errorf("not readable as YAML near here: %s", text)}
}

func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].ShortTag() == "!!null"
}

// A lineReader hands out one line at a time, so that it knows how far its reader has come.
type lineReader struct {
	rest  []byte
	begun int // lines handed out, the last perhaps in part
	open  bool
}

// Read implements [io.Reader].
func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	n := bytes.IndexByte(l.rest, '\n') + 1
	if n == 0 {
		n = len(l.rest)
	}
	n = copy(p, l.rest[:n])
	if !l.open {
		l.begun++
	}
	l.open = n > 0 && l.rest[n-1] != '\n'
	l.rest = l.rest[n:]
	return n, nil
}

func (l *lineReader) line() int { return max(l.begun, 1) }
