package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/providers/source"
)

// object reads an object and lists what it was told.
func object(limits source.Limits, r io.Reader) (told []string, err error) {
	err = limits.ReadObject(r, source.Records{
		Arrays: []string{"list", "more"},
		Record: func(array string, n int, raw json.RawMessage, bad error) error {
			if bad != nil {
				raw = fmt.Append(nil, bad)
			}
			told = append(told, fmt.Sprintf("%s[%d]=%s", array, n, raw))
			return nil
		},
		Field: func(name string, raw json.RawMessage) error {
			told = append(told, fmt.Sprintf("%s=%s", name, raw))
			return nil
		},
	})
	return told, err
}

func TestReadObject(t *testing.T) {
	for text, want := range map[string]string{
		`{"list":[]}`: "",
		` {"a": 1, "list": [ 1 , {"x":[2]}, null ], "b": {"list": [7]}} ` + "\n":                  `a=1 list[1]=1 list[2]={"x":[2]} list[3]=null b={"list": [7]}`,
		`{"list":["a"],"more":["b","c"]}`:                                                         `list[1]="a" more[1]="b" more[2]="c"`,
		`{"list":["a"],"a":"` + strings.Repeat("x", 9) + `","list":["b"]}`:                        `list[1]="a" a="xxxxxxxxx" list[1]="b"`,
		"\t{\r\n\"list\":[{\"deep\":" + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}]}": `list[1]={"deep":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`,
	} {
		told, err := object(source.Limits{}, strings.NewReader(text))
		require.NoError(t, err, text)
		require.Equal(t, want, strings.Join(told, " "), text)
	}
}

func TestReadObjectRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                     "unexpected EOF",
		`{`:                    "unexpected EOF",
		`{"list":[1`:           "unexpected EOF",
		`{"list":[{"a":`:       `field "list": record 1: unexpected EOF`,
		`{"list":[1]`:          "unexpected EOF",
		`{"a":1}`:              `an object without a field ["list" "more"]`,
		`{"list":7}`:           `field "list": invalid character '7' where '[' is expected`,
		`[]`:                   `invalid character '[' where '{' is expected`,
		`<html>`:               "invalid character '<'",
		`{"list":[1,,2]}`:      "invalid character ','",
		`{"list":[]} {}`:       "something follows the end",
		`{"list":[]} x`:        "invalid character 'x'",
		`{"list":[1,2,3,4,5]}`: "more than 4 records: larger than allowed",
	} {
		_, err := object(source.Limits{Records: 4}, strings.NewReader(text))
		require.ErrorContains(t, err, want, text[:min(len(text), 40)])
	}
	for cut := range len(`{"list":[1]}`) {
		_, err := object(source.Limits{}, strings.NewReader(`{"list":[1]}`[:cut]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, cut)
	}
	broken := errors.New("disk on fire")
	_, err := object(source.Limits{}, io.MultiReader(strings.NewReader(`{"list":[1,`), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

// What is wrong within the brackets of a record is for whoever reads the record, and the next record follows.
func TestOneBadRecordTakesNoOtherWithIt(t *testing.T) {
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	huge := `{"a":"` + strings.Repeat("x", source.MaxRecord) + `"}`
	many := "[" + strings.Repeat("0,", source.MaxValues) + "0]"
	for bad, want := range map[string]string{
		`nope`: "nope", `{"a":}`: `{"a":}`, `{"a": [1}}`: `{"a": [1}}`, `"\x"`: `"\x"`, `{"]": "\"}"}`: `{"]": "\"}"}`, `[,]`: `[,]`, deep: deep,
		huge: "more than 4194304 bytes: larger than allowed", many: "more than 100000 values: larger than allowed",
	} {
		told, err := object(source.Limits{}, strings.NewReader(`{"list":[1,`+bad+`,2]}`))
		require.NoError(t, err, abbreviated(bad))
		require.Equal(t, []string{"list[1]=1", "list[2]=" + want, "list[3]=2"}, told)
		told, err = object(source.Limits{}, strings.NewReader(`{"list":[`+bad+`]}`))
		require.NoError(t, err, abbreviated(bad))
		require.Equal(t, []string{"list[1]=" + want}, told)
	}
	_, err := object(source.Limits{}, strings.NewReader(`{"x":`+huge+`,"list":[]}`))
	require.ErrorContains(t, err, `field "x": more than 4194304 bytes: larger than allowed`)
	nobody := source.Records{Arrays: []string{"list"}}
	require.NoError(t, source.Limits{}.ReadObject(strings.NewReader(`{"x":`+huge+`,"list":[`+huge+`]}`), nobody))
	for _, text := range []string{`{"list":[1}}`, `{"list":[{"a":1]}`, `{"list":[1 2]}`, `{"list":[1}`, `{"list" [1]}`, `{"list":[1]]`} {
		require.Error(t, source.Limits{}.ReadObject(strings.NewReader(text), nobody), text)
	}
}

func abbreviated(text string) string { return text[:min(len(text), 40)] }

// endless yields the same byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestReadObjectBoundsOneRecord(t *testing.T) {
	for _, beginning := range []string{`{"list":["`, `{"a":"`, `{"`, `{"list":[1`, `{"list":[]}`, ``} {
		filler := endless('1')
		if beginning == "" || strings.HasSuffix(beginning, "}") {
			filler = ' '
		}
		_, err := object(source.Limits{}, io.MultiReader(strings.NewReader(beginning), filler))
		require.ErrorIs(t, err, source.ErrTooLarge, beginning)
	}
	// Many records that are large together are none of its business.
	one := `"` + strings.Repeat("a", 1<<20) + `"`
	told, err := object(source.Limits{}, strings.NewReader(`{"list":[`+strings.Repeat(one+",", 40)+one+`]}`))
	require.NoError(t, err)
	require.Len(t, told, 41)
}

func TestReadObjectEndsWithTheErrorOfItsFunctions(t *testing.T) {
	stop := errors.New("enough")
	record := func(string, int, json.RawMessage, error) error { return stop }
	require.ErrorIs(t, source.Limits{}.ReadObject(strings.NewReader(`{"l":[1,x`), source.Records{Arrays: []string{"l"}, Record: record}), stop)
	field := func(string, json.RawMessage) error { return stop }
	require.ErrorIs(t, source.Limits{}.ReadObject(strings.NewReader(`{"a":1,x`), source.Records{Field: field}), stop)
	require.NoError(t, source.Limits{}.ReadObject(strings.NewReader(`{"a":1,"l":[]}`), source.Records{Arrays: []string{"l"}}), "nobody wants a")
}

func TestReadArray(t *testing.T) {
	read := func(text string) (told []string, err error) {
		err = source.Limits{Records: 3}.ReadArray(strings.NewReader(text), func(n int, raw json.RawMessage, _ error) error {
			told = append(told, fmt.Sprintf("%d=%s", n, raw))
			return nil
		})
		return told, err
	}
	told, err := read(` [ 1 , {"a":[2]} ] `)
	require.NoError(t, err)
	require.Equal(t, []string{"1=1", `2={"a":[2]}`}, told)
	for text, want := range map[string]string{
		``: "unexpected EOF", `[`: "unexpected EOF", `[1`: "unexpected EOF", `[1,`: "record 2: unexpected EOF", `{}`: `invalid character '{' where '[' is expected`,
		`[1,,2]`: "record 2: invalid character ','", `[] []`: "something follows the end", `[1,2,3,4]`: "more than 3 records: larger than allowed",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want, text)
	}
	stop := errors.New("enough")
	require.ErrorIs(t, source.Limits{}.ReadArray(strings.NewReader(`[1,x`), func(int, json.RawMessage, error) error { return stop }), stop)
	err = source.Limits{}.ReadArray(io.MultiReader(strings.NewReader(`["`), endless('a')), func(int, json.RawMessage, error) error { return nil })
	require.ErrorIs(t, err, source.ErrTooLarge)
}

func TestReadValues(t *testing.T) {
	read := func(text string) (told []string, err error) {
		err = source.Limits{Records: 3}.ReadValues(strings.NewReader(text), func(n int, raw json.RawMessage, _ error) error {
			told = append(told, fmt.Sprintf("%d=%s", n, raw))
			return nil
		})
		return told, err
	}
	for _, text := range []string{`[{"a":1}, nope, {"b":2}]`, `{"a":1} nope {"b":2}`, "\n{\"a\":1}\nnope\n{\"b\":2}\n"} {
		told, err := read(text)
		require.NoError(t, err, text)
		require.Equal(t, []string{`1={"a":1}`, "2=nope", `3={"b":2}`}, told)
	}
	for text, want := range map[string]string{
		`<html>`: "invalid character '<' where an object or an array is expected",
		``:       "unexpected EOF", ` `: "unexpected EOF", `[`: "unexpected EOF", `{} {`: "record 2: unexpected EOF", `{}}`: "record 2: invalid character '}'",
		`{} {} {} {}`: "more than 3 records: larger than allowed", `[] {}`: "something follows the end",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add(`{"a": 1, "list": [1, {"x":[2]}, null], "b": {"list": [7]}}`)
	f.Add(`{"list":[]}{`)
	f.Add(`{"list":[1,2,3,4,5,6]}`)
	f.Fuzz(func(t *testing.T, text string) {
		told, err := object(source.Limits{Records: 5}, strings.NewReader(text))
		if err != nil {
			return
		}
		valid := true
		for _, one := range told {
			_, raw, _ := strings.Cut(one, "=")
			valid = valid && json.Valid([]byte(raw))
		}
		if valid {
			require.True(t, json.Valid([]byte(text)), "read what is no object")
		}
	})
}

func ExampleLimits_ReadObject() {
	file := strings.NewReader(`{"version": "2026.08.21", "vulnerabilities": [{"cveID": "CVE-2026-73570"}, {"cveID": "CVE-2025-48384"}]}`)
	err := source.Limits{}.ReadObject(file, source.Records{
		Arrays: []string{"vulnerabilities"},
		Record: func(_ string, n int, raw json.RawMessage, err error) error {
			var record struct{ CVEID string }
			if err == nil {
				err = json.Unmarshal(raw, &record)
			}
			fmt.Println(n, record.CVEID)
			return err
		},
	})
	fmt.Println(err)
	// Output:
	// 1 CVE-2026-73570
	// 2 CVE-2025-48384
	// <nil>
}
