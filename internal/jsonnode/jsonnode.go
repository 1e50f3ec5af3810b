// Package jsonnode reads JSON as the nodes of YAML, so that one reader serves both formats and every value knows its line.
package jsonnode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// An Error says where a document cannot be read. Lines and columns count from 1, columns in characters.
type Error struct {
	Line, Column int
	Err          error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err) }

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }

// Read returns the root of the one JSON document in data. Nothing in it may be nested deeper than maxDepth levels. Texts are
// marked as quoted, numbers keep their digits, and a key that stands twice is there twice.
func Read(data []byte, maxDepth int) (*yaml.Node, *Error) {
	j := &reader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), maxDepth: maxDepth, line: 1, column: 1}
	j.decoder.UseNumber()
	root, err := j.value(0)
	if err == nil {
		if j.skip(); j.at < len(data) {
			err = errors.New("something follows after the document")
		}
	}
	if err == nil {
		return root, nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		j.advance(int(min(max(syntax.Offset-1, int64(j.at)), int64(len(data)))))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		j.advance(len(data))
		err = errors.New("the document ends too early")
	}
	return nil, &Error{Line: j.line, Column: j.column, Err: fmt.Errorf("not readable as JSON: %w", err)}
}

type reader struct {
	data         []byte
	decoder      *json.Decoder
	maxDepth     int
	at           int // offset to which line and column belong
	line, column int
}

// advance moves the position to the offset to.
func (j *reader) advance(to int) {
	for j.at < to {
		r, size := utf8.DecodeRune(j.data[j.at:])
		j.at += size
		j.column++
		if r == '\n' {
			j.line, j.column = j.line+1, 1
		}
	}
}

// skip moves the position over what stands between two tokens.
func (j *reader) skip() {
	for j.at < len(j.data) && strings.IndexByte(" \t\r\n,:", j.data[j.at]) >= 0 {
		j.advance(j.at + 1)
	}
}

// value reads the next value, which stands in depth others.
func (j *reader) value(depth int) (*yaml.Node, error) {
	j.skip()
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: j.line, Column: j.column}
	token, err := j.decoder.Token()
	if err != nil {
		return nil, err
	}
	j.advance(int(j.decoder.InputOffset()))
	switch v := token.(type) {
	case nil:
		node.Tag, node.Value = "!!null", "null"
	case bool:
		node.Tag, node.Value = "!!bool", fmt.Sprint(v)
	case string:
		node.Tag, node.Value, node.Style = "!!str", v, yaml.DoubleQuotedStyle
	case json.Number:
		node.Tag, node.Value = "!!int", v.String()
		if strings.ContainsAny(node.Value, ".eE") {
			node.Tag = "!!float"
		}
	case json.Delim:
		if depth == j.maxDepth {
			return nil, fmt.Errorf("nested deeper than %d levels", j.maxDepth)
		}
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		if v == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		}
		for j.decoder.More() { // in an object keys and values take turns
			child, err := j.value(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		if _, err := j.decoder.Token(); err != nil {
			return nil, err
		}
		j.advance(int(j.decoder.InputOffset()))
	}
	return node, nil
}
