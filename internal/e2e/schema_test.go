package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/policy"
)

// The JSON Schemas of policies and layers take what the strict readers take, and refuse what has a wrong name, type or form.
// What only the reader sees, such as two rings that take the rest, is not theirs to refuse.
func TestJSONSchemas(t *testing.T) {
	compile := func(name string) *jsonschema.Schema {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile("../../policy/" + name)
		require.NoError(t, err)
		return s
	}
	policies, layers := compile("policy.schema.json"), compile("layer.schema.json")
	strict := func(s *jsonschema.Schema, doc string) error {
		if s == policies {
			_, err := policy.Decode(strings.NewReader(doc), "")
			return err
		}
		_, err := policy.DecodeLayer(strings.NewReader(doc), "")
		return err
	}
	fleet, err := os.ReadFile("../../policy/testdata/fleet.yaml")
	require.NoError(t, err)
	golden, err := os.ReadFile("../../policy/testdata/fleet.golden.yaml")
	require.NoError(t, err)
	p, err := policy.Decode(bytes.NewReader(fleet), "")
	require.NoError(t, err)
	asJSON, err := json.Marshal(p)
	require.NoError(t, err)
	const layer = "name: a\ntenant: x\n"
	l, err := policy.DecodeLayer(strings.NewReader(layer+"level: group\ndevices: a=b\npriority: -2\ncombine: nearest\nlocks: [{field: retry, mode: fixed}]\nzero: [need]\npolicy: {maxActive: 0, windows: [{start: \"22:00\", end: \"06:00\", days: [sat, mon-wed]}]}"), "")
	require.NoError(t, err)
	layerJSON, err := json.Marshal(l)
	require.NoError(t, err)

	for _, row := range []struct {
		name   string
		schema *jsonschema.Schema
		doc    string
		good   bool
	}{
		{"every field", policies, string(fleet), true},
		{"every field, as it is written", policies, string(golden), true},
		{"every field, as JSON", policies, string(asJSON), true},
		{"a name alone", policies, "name: a", true},
		{"no name", policies, "maxActive: 3", false},
		{"an empty name", policies, `name: ""`, false},
		{"a field that there is not", policies, "name: a\nmaxActiv: 3", false},
		{"text for a number", policies, "name: a\nmaxActive: many", false},
		{"a negative number", policies, "name: a\nmaxActive: -1", false},
		{"a broken number", policies, "name: a\nmaxActive: 1.5", false},
		{"an empty list", policies, "name: a\nrules: []", false},
		{"a field without a value", policies, "name: a\nrules:", false},
		{"a duration without a unit", policies, "name: a\nretry: {backoff: \"10\"}", false},
		{"an empty duration", policies, "name: a\nretry: {backoff: \"\"}", false},
		{"a duration with its units the wrong way round", policies, "name: a\nretry: {backoff: 1m2h}", false},
		{"a share without a percent sign", policies, "name: a\nrings: [{name: r, share: \"50\"}]", false},
		{"a share of more than all", policies, "name: a\nrings: [{name: r, share: 101%}]", false},
		{"a reboot mode that there is not", policies, "name: a\nreboot: {mode: sometimes}", false},
		{"a verdict that no rule has", policies, "name: a\nrules: [{name: r, match: {all: true}, verdict: no-decision}]", false},
		{"a rule without a match", policies, "name: a\nrules: [{name: r, verdict: approve}]", false},
		{"a star in the middle", policies, "name: a\nrules: [{name: r, match: {ids: [\"a*b\"]}, verdict: approve}]", false},
		{"a time of day", policies, "name: a\nwindows: [{start: \"25:00\", end: \"06:00\"}]", false},
		{"a weekday", policies, "name: a\nwindows: [{start: \"22:00\", end: \"06:00\", days: sunday}]", false},
		{"a gap that windows do not have", policies, "name: a\nwindows: [{start: \"22:00\", end: \"06:00\", gap: keep}]", false},
		{"no date", policies, "name: a\nholds: [{id: h, match: {all: true}, expires: soon}]", false},

		{"a layer", layers, layer, true},
		{"a layer of everybody", layers, "name: a\ntenant: \"\"", true},
		{"a layer with all that it can have", layers, string(layerJSON), true},
		{"a layer whose policy has no name", layers, layer + "policy: {maxActive: 0}", true},
		{"a layer without a tenant", layers, "name: a", false},
		{"a lock of no kind", layers, layer + "locks: [{field: rings, mode: soft}]", false},
		{"a lock on nothing", layers, layer + "locks: [{mode: fixed}]", false},
		{"a level that there is not", layers, layer + "level: floor", false},
		{"a fault in the policy", layers, layer + "policy: {retry: {attempts: x}}", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var root yaml.Node
			require.NoError(t, yaml.Unmarshal([]byte(row.doc), &root))
			err := row.schema.Validate(plain(t, root.Content[0]))
			if row.good {
				require.NoError(t, err)
				require.NoError(t, strict(row.schema, row.doc))
				return
			}
			require.Error(t, err)
			require.Error(t, strict(row.schema, row.doc), "the schema refuses what the reader takes")
		})
	}
}

// plain returns a document as JSON has it: a date is text.
func plain(t *testing.T, n *yaml.Node) any {
	switch n.Kind {
	case yaml.AliasNode:
		return plain(t, n.Alias)
	case yaml.MappingNode:
		m := make(map[string]any)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(t, item)
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		require.NoError(t, err)
		return f
	}
	return n.Value
}
