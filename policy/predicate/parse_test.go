package predicate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/policy/predicate"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{" \n\t", ""},
		{"true", "true"},
		{"not false", "not false"},
		{"exploited", "exploited"},
		{"severity>=important", "severity >= important"},
		{"severity  not in(low,moderate)", "not severity in (low, moderate)"},
		{"((exploited))", "exploited"},
		{"exploited and (contested and withdrawn)", "exploited and contested and withdrawn"},
		{"exploited or contested and withdrawn", "exploited or contested and withdrawn"},
		{"(exploited or contested) and withdrawn", "(exploited or contested) and withdrawn"},
		{"not (exploited or contested)", "not (exploited or contested)"},
		{"not not exploited", "not not exploited"},
		{`label.site = "oslo"`, "label.site = oslo"},
		{`label."my site" = "new york"`, `label."my site" = "new york"`},
		{`label."site" = x`, "label.site = x"},
		{`label.and = "and"`, `label.and = "and"`},
		{`label.x = ""`, `label.x = ""`},
		{`title = "a \"b\" \\"`, `title = "a \"b\" \\"`},
		{"title = \"two\nlines\"", "title = \"two\nlines\""},
		{"package glob (linux-image, x)", "package glob (linux-image, x)"},
		{"package glob (linux-image)", "package glob linux-image"},
		{"package in (x)", "package in (x)"},
		{"package has any of (a, b) and cve has all of (CVE-2024-1) or package has none of (c)", "package has any of (a, b) and cve has all of (CVE-2024-1) or package has none of (c)"},
		{"any advisory (advisory.severity = low and advisory.exploited)", "any advisory (advisory.severity = low and advisory.exploited)"},
		{"exists label.site", "exists label.site"},
		{"age >= 36h", "age >= 1d12h"},
		{"age < 0d", "age < 0s"},
		{"age < 90m", "age < 1h30m"},
		{"size > 1024KiB", "size > 1MiB"},
		{"size > 500MB", "size > 500MB"},
		{"size > 0", "size > 0"},
		{"size > 1234567", "size > 1234567"},
		{"epss >= 0.10", "epss >= 0.1"},
		{"cvss = 9.8", "cvss = 9.8"},
		{"device.tenant = \"\"", `device.tenant = ""`},
		{"reversal = none or reversal != uninstall", "reversal = none or reversal != uninstall"},
		{"label.straße = åäö", "label.straße = åäö"},
	} {
		e, err := predicate.Parse(row.text)
		require.NoError(t, err, row.text)
		require.Equal(t, row.want, e.String())
		require.Equal(t, row.want == "", e.IsZero())
		again, err := predicate.Parse(row.want)
		require.NoError(t, err)
		require.True(t, e.Equal(again), row.text)
	}
}

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"severty >= low", `line 1, column 1: unknown field "severty"; did you mean severity?`},
		{"true and\n  os = linux", `line 2, column 3: unknown field "os"; did you mean platform.os or device.os?`},
		{"packages = x", `column 1: unknown field "packages"; did you mean package?`},
		{"nonsense", `column 1: unknown field "nonsense"`},
		{"label = x", "column 1: a label has a key"},
		{"severity >= high", `column 13: severity: "high" is none of low, moderate, important, critical`},
		{"severity >= importent", `did you mean important?`},
		{"severity = unrated", "column 12: severity: unrated is no value: write not exists severity"},
		{"classification >= security", "column 16: classification is a word, which has no >=: want one of exists, =, !=, in"},
		{"exploited = yes", "column 11: exploited is true, false or unknown and stands alone"},
		{"severity", "column 1: severity is a level, which says nothing alone"},
		{"package != x", "column 9: package is a list, of which != would say little"},
		{"device.tenant prefix x", "column 15: device.tenant is a tenant: = fits those below it too"},
		{"age >= 7", `column 8: age: "7" is no age: want for example`},
		{"age >= 7w", `column 8: age: "7w" is no age: units go from d to h`},
		{"age >= 1h1d", "units go from d to h"},
		{"age >= 1h1h", "each at most once"},
		{"age >= 106752d", "it is too long"},
		{"age >= 99999999999999999999d", "it is too long"},
		{"age = 7d", "age is an age, which has no ="},
		{"epss > 2", "epss: 2 is more than 1"},
		{"cvss > 11", "cvss: 11 is more than 10"},
		{"epss > 1e-3", `"1e-3" is no number`},
		{"epss > .5", `".5" is no number`},
		{"epss > -1", `"-1" is no number`},
		{"size > 1PB", `"1PB" is no size`},
		{"size > 9007199254740993", "is no size"},
		{"device.version = 12..5", `"12..5" is no version of an operating system`},
		{`finding.installed < ""`, "an empty text is no version"},
		{`title prefix ""`, "an empty prefix fits everything"},
		{`title glob "a\\"`, "ends in a backslash"},
		{`title = "a\n"`, `column 11: want \" or \\ within quotes`},
		{"title = (a, b)", "column 13: title = takes one value, not 2"},
		{"severity in low", "column 13: want a list in brackets after in"},
		{"severity in ()", "column 14: want a value"},
		{"severity in (low", "want a comma or ) in the list, not the end"},
		{"severity = and", `column 12: want a value, not "and"`},
		{"severity low", `column 10: want an operator, and, or, or the end, not "low"`},
		{"severity not = low", "column 14: want in, prefix or glob after not"},
		{"package has x", `column 13: want any of, all of or none of after has, not "x"`},
		{"package has any (x)", `column 17: want of, not "("`},
		{"exploited AND contested", `column 11: want an operator, and, or, or the end, not "AND"`},
		{"(exploited", "want and, or, or a closing bracket, not the end"},
		{"exploited)", `want and, or, or the end, not ")"`},
		{"exploited and", "want a field, not the end"},
		{"and exploited", `want a field, not "and"`},
		{"= x", `want a field, not "="`},
		{`"severity" = low`, `want a field, not the text "severity"`},
		{"exists and", `want a field after exists, not "and"`},
		{"any advisory exploited", "want an opening bracket after any advisory"},
		{"any advisory (exploited)", "column 15: exploited is no field of an advisory"},
		{"any advisory (any advisory (advisory.exploited))", "any advisory stands within any advisory"},
		{"title = 'x'", `column 9: "'" has no meaning here: put text in double quotes`},
		{`title = "x`, "column 9: the quote is not closed"},
		{"title = \xff", "column 9: not UTF-8"},
		{strings.Repeat("(", 65) + "exploited" + strings.Repeat(")", 65), "column 65: nested deeper than 64 levels"},
		{strings.Repeat("not ", 100000), "bytes long: at most 131072 are allowed"},
		{strings.Repeat("(true and (false or ", 40) + "true" + strings.Repeat("))", 40), "nested deeper than 64 levels"},
	} {
		_, err := predicate.Parse(row.text)
		require.ErrorContains(t, err, row.want, row.text)
		var at *predicate.Error
		require.ErrorAs(t, err, &at)
		require.Equal(t, at.Err, errors.Unwrap(at))
		if at.Line == 1 && at.Column > 1 {
			require.Equal(t, at.Column-1, at.Offset, row.text)
		}
	}
}

func TestFaultsAreGathered(t *testing.T) {
	_, err := predicate.Parse("severty >= low and age >= 7 and\nepss > 2")
	var all *multierror.Error
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Errors, 3)
	require.Equal(t, `predicate: line 1, column 1: unknown field "severty"; did you mean severity?
predicate: line 1, column 27: age: "7" is no age: want for example 36h, 7d or 1d12h
predicate: line 2, column 8: epss: 2 is more than 1`, err.Error())

	_, err = predicate.Parse(strings.Repeat("x or ", 1000) + "y")
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Errors, 20, "and no more")
}

func TestMustParsePanics(t *testing.T) {
	require.Panics(t, func() { predicate.MustParse("nonsense") })
	require.NotPanics(t, func() { predicate.MustParse("exploited") })
}

func TestStructuredForms(t *testing.T) {
	for _, row := range []struct{ yaml, want string }{
		{`severity >= low and exploited`, "severity >= low and exploited"},
		{`""`, ""},
		{`true`, "true"},
		{`all: [{field: exploited}, {field: severity, op: ">=", values: [low]}]`, "exploited and severity >= low"},
		{`any: [{field: exploited}, false]`, "exploited or false"},
		{`not: {field: label.site, op: exists}`, "not exists label.site"},
		{`advisory: {field: advisory.epss, op: ">", values: [0.5]}`, "any advisory (advisory.epss > 0.5)"},
		{`{field: size, op: in, values: []}`, "!an empty list"},
		{`const: false`, "false"},
		{"all:\n- &a {field: exploited}\n- not: *a", "exploited and not exploited"},
		{`{field: device.version, op: in, values: [12, 12.5, 2020-01-01]}`, "device.version in (12, 12.5, 2020-01-01)"},
		{`all: [{field: exploited}]`, "exploited"},
		{`{}`, "!line 1, column 1: an expression without fields"},
		{`[]`, "!want fields with values, true or false, not a list"},
		{`7`, `!want fields with values, true or false, not "7"`},
		{`all: {}`, "!line 1, column 6: all: want a list, not fields with values"},
		{`all: []`, "!line 1, column 6: all: an empty list"},
		{`all: [{field: severty, op: "=", values: [low]}]`, `!line 1, column 15: all[0].field: unknown field "severty"; did you mean severity?`},
		{"all:\n- field: severity\n  op: '>='\n  values: [high]", `!line 4, column 12: all[0].values[0]: severity: "high" is none of`},
		{`{field: severity, op: ">=", values: [low], value: low}`, "!line 1, column 44: value: unknown field; did you mean values?"},
		{`{field: severity, field: age}`, "!line 1, column 19: field: stands twice"},
		{`{field: severity, op: has, values: [low]}`, `!line 1, column 23: op: there is no operator "has"`},
		{`{field: exploited, not: true}`, "!want one of all, any, not, advisory, const and field, not 2 of them"},
		{`{op: "="}`, "!want one of all, any, not, advisory, const and field, not 0 of them"},
		{`{not: true, op: "="}`, "!op and values belong to a field"},
		{`{field: exploited, values: [x]}`, "!line 1, column 29: values[0]: exploited stands alone"},
		{`{field: severity, op: "="}`, "!op: severity = needs a value"},
		{`{field: [x]}`, "!field: want text, not a list"},
		{`{field: }`, "!field: want text, not nothing"},
		{`{field: ""}`, "!field: no value"},
		{`{const: x}`, `!const: want fields with values, true or false, not "x"`},
		{`{const: {field: exploited}}`, "!const: want true or false"},
		{`{field: severity, op: in, values: [[low]]}`, "!values[0]: want text, not a list"},
		{`{advisory: {advisory: {field: advisory.exploited}}}`, "!advisory: advisory stands within advisory"},
		{`severity >= high`, `!line 1, column 13: severity: "high" is none of`},
		{`"severity >= high"`, `!line 1, column 14: severity: "high" is none of`},
		{"|\n  severity >= low\n  or x", `!line 2, column 4: unknown field "x"`},
		{"&a {not: *a}", "!nested deeper than 64 levels"},
	} {
		var e predicate.Expr
		err := yaml.Unmarshal([]byte(row.yaml), &e)
		if want, fails := strings.CutPrefix(row.want, "!"); fails {
			require.ErrorContains(t, err, want, row.yaml)
			require.True(t, e.IsZero())
			continue
		}
		require.NoError(t, err, row.yaml)
		require.Equal(t, row.want, e.String())

		text, err := yaml.Marshal(e)
		require.NoError(t, err)
		var again predicate.Expr
		require.NoError(t, yaml.Unmarshal(text, &again))
		require.True(t, again.Equal(e))
	}
}

func TestJSON(t *testing.T) {
	for _, row := range []struct{ json, want string }{
		{`"severity >= low"`, "severity >= low"},
		{`true`, "true"},
		{`{"all": [{"field": "exploited"}, {"field": "cvss", "op": ">", "values": [9.5]}]}`, "exploited and cvss > 9.5"},
		{`null`, "!want fields with values, true or false, not nothing"},
		{"{\n \"field\": \"severity\", \"op\": \"=\", \"values\": [\"high\"]}", "!line 2, column 45: values[0]: severity:"},
		{`"severity >= high"`, `!line 1, column 14: severity: "high" is none of`},
		{`{"all": [` + strings.Repeat(`{"not":`, 100) + `true` + strings.Repeat(`}`, 100) + `]}`, "!nested deeper than 64 levels"},
		{`{"all": [` + strings.Repeat(`[`, 500) + strings.Repeat(`]`, 500) + `]}`, "!nested deeper than"},
	} {
		var e predicate.Expr
		err := json.Unmarshal([]byte(row.json), &e)
		if want, fails := strings.CutPrefix(row.want, "!"); fails {
			require.ErrorContains(t, err, want, row.json)
			continue
		}
		require.NoError(t, err, row.json)
		require.Equal(t, row.want, e.String())
		text, err := json.Marshal(e)
		require.NoError(t, err)
		var again predicate.Expr
		require.NoError(t, json.Unmarshal(text, &again))
		require.True(t, again.Equal(e))

		text, err = json.Marshal(e.Node())
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &again))
		require.True(t, again.Equal(e), string(text))
	}
	var e predicate.Expr
	require.ErrorContains(t, e.UnmarshalJSON([]byte(`{"not": `)), "not readable as JSON")
	require.ErrorContains(t, e.UnmarshalJSON([]byte(`true true`)), "something follows")
	require.ErrorContains(t, e.UnmarshalJSON(make([]byte, 2<<20)), "bytes long")
}

func TestNodes(t *testing.T) {
	e, err := predicate.Node{}.Expr()
	require.NoError(t, err)
	require.True(t, e.IsZero())
	require.Equal(t, predicate.Node{}, e.Node())
	_, err = predicate.Node{All: []predicate.Node{{}}}.Expr()
	require.ErrorContains(t, err, "predicate: all[0]: want one of")
	_, err = predicate.Node{Any: []predicate.Node{}}.Expr()
	require.ErrorContains(t, err, "any: an empty list")
	long := predicate.Node{Field: "package", Op: "in", Values: []string{strings.Repeat("x", 200000)}}
	_, err = long.Expr()
	require.ErrorContains(t, err, "bytes long as a text: at most 131072")
	deep := predicate.Node{Field: "exploited"}
	for range 64 {
		deep = predicate.Node{Not: ptr(deep)}
	}
	_, err = deep.Expr()
	require.ErrorContains(t, err, "nested deeper than 64 levels")
	e, err = deep.Not.Expr()
	require.NoError(t, err)
	again, err := predicate.Parse(e.String())
	require.NoError(t, err)
	require.True(t, again.Equal(e))
	_, err = predicate.Node{Field: "title", Op: "=", Values: []string{"\xff"}}.Expr()
	require.ErrorContains(t, err, "not UTF-8")
}

func TestText(t *testing.T) {
	var e predicate.Expr
	require.NoError(t, e.UnmarshalText([]byte("exploited")))
	text, err := e.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "exploited", string(text))
	require.Error(t, e.UnmarshalText([]byte("nonsense")))
	require.Equal(t, "exploited", e.String(), "an error changes nothing")
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "true", `severity >= important and age >= 7d and (exploited or label.site in (oslo, "new york")) and not package glob "linux-image-*"`,
		`any advisory (advisory.epss > 0.5) or exists label."a b" and not device.tenant = ""`, "size > 10GiB", "title not in (a)",
		`package has none of (a, "\\")`, "((((", "not not not", "label.", `label."`, "\"", "age<1d1h1m1s",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := predicate.Parse(text)
		if err != nil {
			require.True(t, e.IsZero())
			_ = err.Error()
			return
		}
		if len(e.String()) > 1<<17 {
			return // brackets and blanks that the canonical form adds
		}
		again, err := predicate.Parse(e.String())
		require.NoError(t, err, e)
		require.True(t, again.Equal(e), "%s\n%s", e, again)
		fromNode, err := e.Node().Expr()
		require.NoError(t, err, e)
		require.True(t, fromNode.Equal(e))
		m := newMaker(uint64(len(text)))
		facts := m.facts()
		require.Equal(t, reference(e.Node(), facts, nil), predicate.Compile(e).Eval(facts), "%s", e)
	})
}

func FuzzUnmarshalJSON(f *testing.F) {
	for _, text := range []string{
		`"exploited"`, `{"all":[{"field":"severity","op":">=","values":["low"]},{"not":{"field":"exploited"}}]}`, `{"advisory":true}`, `[`, `{"a":`, "null",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again predicate.Expr
		if e.UnmarshalJSON(data) != nil {
			require.True(t, e.IsZero())
			return
		}
		text, err := json.Marshal(e.Node())
		require.NoError(t, err)
		if !e.IsZero() {
			require.NoError(t, again.UnmarshalJSON(text), string(text))
			require.True(t, again.Equal(e))
		}
	})
}
