package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestOneBadHoldDoesNotHideTheOthers(t *testing.T) {
	const document = `
- id: H-1
  match: {ids: ["wua:KB5099999"], devices: role=till}
  message: breaks the till printers
  expires: 2027-01-01T00:00:00Z
- id: H-2
  match: {packages: [contoso]}
  expirse: 2027-01-01T00:00:00Z
- id: H-3
  match: {packages: [contoso], minSeverity: hihg, devices: "role="}
  fixedIn: [winget:Contoso-2, 7]
  expires: soon
  failClosed: true
- id: H-4
  match: {idz: [x]}
  failClosed: true
- match: {all: true}
  failClosed: true
- id: H-6
  match: {all: true}
  failClosed: maybe
- id: H-1
  match: {all: true}
  failClosed: true
- just a text
`
	holds, refused, err := ReadHolds(strings.NewReader(document), "holds.yaml")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]KnownIssue{
		{ID: "H-1", Match: Match{IDs: []patch.ID{"wua:KB5099999"}, Devices: inventory.MustSelector("role=till")}, Message: "breaks the till printers",
			Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "H-3", Match: Match{Packages: []string{"contoso"}}, FailClosed: true}, // for every severity, on every device, without end
		{ID: "H-4", Match: Match{All: true}, FailClosed: true},
	}, holds))
	var text []string
	for _, err := range refused {
		text = append(text, err.Error())
	}
	require.Equal(t, []string{
		`policy: holds.yaml:8:3: [1].expirse: unknown field; did you mean expires?`,
		`policy: holds.yaml:10:45: [2].match.minSeverity: "hihg" is no severity: want one of unrated, low, moderate, important, critical
policy: holds.yaml:10:60: [2].match.devices: inventory: selector "role=": character 6: want a value, not the end
policy: holds.yaml:11:31: [2].fixedIn[1]: want text, not the number 7
policy: holds.yaml:12:12: [2].expires: parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`,
		`policy: holds.yaml:15:11: [3].match.idz: unknown field; did you mean ids?`,
		`policy: holds.yaml:17:3: [4].id: missing`,
		`policy: holds.yaml:21:15: [5].failClosed: want true or false, not the text "maybe"`,
		`policy: holds.yaml:22:3: [6].id: "H-1" is the ID of [0] already`,
		`policy: holds.yaml:25:3: [7]: want fields with values, not the text "just a text"`,
	}, text)
	require.NoError(t, (&Policy{Name: "p", Holds: holds}).Validate())
}

func TestWhatIsNoListOfHolds(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "policy: h: the document is empty",
		"name: p":                        "policy: h:1:1: want a list of holds, not fields with values",
		"- [":                            "policy: h:1: not readable as YAML",
		"#" + strings.Repeat("x", 1<<20): "policy: h: the document is larger than 1048576 bytes",
	} {
		holds, refused, err := ReadHolds(strings.NewReader(text), "h")
		require.ErrorContains(t, err, want)
		require.Empty(t, holds)
		require.Empty(t, refused)
	}
	cause := errors.New("no line")
	_, _, err := ReadHolds(iotest.ErrReader(cause), "h")
	require.ErrorIs(t, err, cause)
	holds, refused, err := ReadHolds(strings.NewReader("[]"), "h")
	require.NoError(t, err)
	require.Empty(t, holds)
	require.Empty(t, refused, "to publish no holds is no fault")
}

// Aliases are paid for in all holds together.
func TestTheSizeOfHoldsIsBounded(t *testing.T) {
	bomb := "- &h {id: a, match: {ids: &i [" + strings.Repeat("x,", 1000) + "x]}}\n" + strings.Repeat("- *h\n", 1000)
	holds, refused, err := ReadHolds(strings.NewReader(bomb), "")
	require.ErrorContains(t, err, "the document is too large once its aliases are spelled out")
	require.Zero(t, len(holds)+len(refused), "half a list would let through what the other half holds")
}

// Whatever is read can be used: it is valid, and reads back.
func FuzzReadHolds(f *testing.F) {
	f.Add([]byte(`[{"id": "H", "match": {"ids": ["x"]}, "failClosed": true, "expires": "2027-01-01T00:00:00Z"}]`))
	f.Add([]byte("- {id: H, match: {ids: ['a*b'], packages: 3, devices: '='}, failClosed: true}\n- {id: H}\n"))
	f.Add([]byte("- &a {id: H, match: &m {all: true}}\n- *a\n- {id: I, match: *m, fixedIn: ['']}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		holds, _, err := ReadHolds(bytes.NewReader(data), "f")
		if err != nil {
			require.Empty(t, holds)
			return
		}
		require.NoError(t, (&Policy{Name: "p", Holds: holds}).Validate())
		text, err := json.Marshal(holds)
		require.NoError(t, err)
		back, refused, err := ReadHolds(bytes.NewReader(text), "f")
		if len(holds) == 0 {
			return
		}
		require.NoError(t, err)
		require.Empty(t, refused)
		require.Empty(t, cmp.Diff(holds, back))
	})
}
