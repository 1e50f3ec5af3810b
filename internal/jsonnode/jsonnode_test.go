package jsonnode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// show writes a node with its place, in one line.
func show(n *yaml.Node) string {
	text := fmt.Sprintf("%d:%d %s", n.Line, n.Column, n.Tag)
	if n.Kind == yaml.ScalarNode {
		return text + " " + n.Value
	}
	for _, c := range n.Content {
		text += " [" + show(c) + "]"
	}
	return text
}

func TestEveryValueKnowsItsPlace(t *testing.T) {
	n, err := Read([]byte("{\"ä\": [1, 2.5, 1e3],\n  \"b\": {\"c\": null, \"c\": true}, \"d\": \"\\u00e9\"}\n"), 3)
	require.Nil(t, err)
	require.Equal(t, "1:1 !!map [1:2 !!str ä] [1:7 !!seq [1:8 !!int 1] [1:11 !!float 2.5] [1:16 !!float 1e3]]"+
		" [2:3 !!str b] [2:8 !!map [2:9 !!str c] [2:14 !!null null] [2:20 !!str c] [2:25 !!bool true]] [2:32 !!str d] [2:37 !!str é]", show(n))
}

func TestWhatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "line 1, column 1: not readable as JSON: the document ends too early",
		"{\n\"a\": [1,":        "line 2, column 9: not readable as JSON: the document ends too early",
		"{\"a\":\n  tru}":      "line 2, column 3: not readable as JSON: invalid character '}' in literal true (expecting 'e')",
		"{} {}":                "line 1, column 4: not readable as JSON: something follows after the document",
		strings.Repeat("[", 4): "line 1, column 5: not readable as JSON: nested deeper than 3 levels",
	} {
		n, err := Read([]byte(text), 3)
		require.Nil(t, n, text)
		require.EqualError(t, err, want, text)
	}
	_, err := Read([]byte("[[[1]]]"), 3)
	require.Nil(t, err)
}
