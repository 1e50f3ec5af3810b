package policy

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/inventory"
)

const soundLayer = `
name: berlin
tenant: acme/berlin
level: group
devices: role=till
priority: 3
combine: most-restrictive
policy:
  maxActive: 0
  reboot: {mode: never}
  rules:
    - {name: a, match: {all: true}, verdict: approve}
locks:
  - {field: retry, mode: fixed}
`

func TestALayerIsReadBack(t *testing.T) {
	l, err := DecodeLayer(strings.NewReader(soundLayer), "")
	require.NoError(t, err)
	require.Equal(t, []string{"maxActive", "reboot.mode", "combine"}, l.Zero)
	require.True(t, l.Sets("combine") && l.Sets("rules") && !l.Sets("windows") && !l.Sets("nothing"))
	requireReadBack(t, l)
}

func requireReadBack(t *testing.T, l Layer) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&b).Encode(l))
	again, err := DecodeLayer(&b, "")
	require.NoError(t, err)
	require.NoError(t, again.Validate())
	require.Equal(t, l.Name, again.Name)
	for _, s := range settings() {
		require.Equal(t, l.Sets(s.path), again.Sets(s.path), s.path)
		require.Equal(t, s.text(&l), s.text(&again), s.path)
	}
	require.Equal(t, l.Locks, again.Locks)
}

func TestFaultsOfLayers(t *testing.T) {
	for _, row := range []struct{ name, doc, want string }{
		{"a slash", "name: a/b\ntenant: x", "line 1, column 7: name: \"a/b\" has a slash, which parts it from the names of its rules"},
		{"no tenant", "name: a", "line 1, column 1: tenant: missing"},
		{"a tenant that is no path", "name: a\ntenant: x//y", "line 2, column 9: tenant: \"x//y\" is no path: want names with single slashes between them"},
		{"a group of nobody", "name: a\ntenant: x\nlevel: group", "line 1, column 1: devices: missing: it would match nobody"},
		{"a tenant with devices", "name: a\ntenant: x\ndevices: a=b", "line 3, column 10: devices: only the layer of a group or device has them"},
		{"no such level", "name: a\ntenant: x\nlevel: floor", "line 3, column 8: level: \"floor\" is no level: want one of tenant, group, device"},
		{"a lock without an order", "name: a\ntenant: x\nlocks: [{field: rings, mode: tighten}]", "line 3, column 30: locks[0].mode: there is no order of tighter and looser for rings: want fixed"},
		{"a lock on nothing", "name: a\ntenant: x\nlocks: [{field: ring}]", "line 3, column 17: locks[0].field: \"ring\" is no field of a policy"},
		{"a lock on holds", "name: a\ntenant: x\nlocks: [{field: holds}]", "line 3, column 17: locks[0].field: holds of every layer always count"},
		{"two locks", "name: a\ntenant: x\nlocks: [{field: need}, {field: need}]", "line 3, column 32: locks[1].field: need is locked already"},
		{"zero and a value", "name: a\ntenant: x\nzero: [maxActive]\npolicy: {maxActive: 3}", "line 3, column 8: zero[0]: maxActive has a value"},
		{"zero of a list that adds up", "name: a\ntenant: x\nzero: [rules]", "line 3, column 8: zero[0]: rules adds to what layers above list, and takes nothing away"},
		{"zero of nothing", "name: a\ntenant: x\nzero: [name]", "line 3, column 8: zero[0]: \"name\" is no field that can be set to nothing"},
		{"zero twice", "name: a\ntenant: x\nzero: [need, need]", "line 3, column 14: zero[1]: need is named twice"},
		{"a fault of the policy", "name: a\ntenant: x\npolicy: {maxActive: -1}", "line 3, column 21: policy.maxActive: -1 is negative"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := DecodeLayer(strings.NewReader(row.doc), "")
			require.EqualError(t, err, "policy: "+row.want)
		})
	}
}

func TestWhatIsKeptOfALayerWithFaults(t *testing.T) {
	const head = "name: a\ntenant: x\nlevel: group\ndevices: role=till\n"
	for _, row := range []struct {
		name, doc string
		rules     string // verdict and what of it is left
		devices   string
	}{
		{"an allow rule is left out", head + "policy: {maxActive: 3, rules: [{name: r, match: {minSeverity: no}, verdict: approve}]}", "", "role=till"},
		{"one that asks is left out", head + "policy: {rules: [{name: r, match: {all: true}, verdict: require-approval, quorum: x}]}", "", "role=till"},
		{"a block rule blocks", head + "policy: {rules: [{name: r, match: {ids: [KB1], minAge: no}, verdict: reject}]}", "reject r [KB1] false", "role=till"},
		{"one about nothing that can be read blocks everything", head + "policy: {rules: [{name: r, match: {minAge: no}, verdict: hold}]}", "hold r [] true", "role=till"},
		{"a filter of a block rule", head + "policy: {rules: [{name: r, match: {ids: [KB1], devices: '=='}, verdict: reject}]}", "reject r [KB1] false", "role=till"},
		{"a verdict that cannot be read holds", head + "policy: {rules: [{name: r, match: {ids: [KB1]}, verdict: denied}]}", "hold r [KB1] false", "role=till"},
		{"no verdict holds", head + "policy: {rules: [{name: r, match: {ids: [KB1]}}]}", "hold r [KB1] false", "role=till"},
		{"a deferral without a time holds", head + "policy: {rules: [{name: r, match: {ids: [KB1]}, verdict: defer, for: soon}]}", "hold r [KB1] false", "role=till"},
		{"a rule without a name", head + "policy: {rules: [{match: {ids: [KB1]}, verdict: reject}]}", "reject unreadable rule 1 [KB1] false", "role=till"},
		{"a rule that is none", head + "policy: {rules: [7]}", "hold unreadable rule 1 [] true", "role=till"},
		{"two of one name", head + "policy: {rules: [{name: r, match: {ids: [KB1]}, verdict: reject}, {name: r, match: {ids: [KB2]}, verdict: reject}]}",
			"reject r [KB1] false, reject unreadable rule 2 [KB2] false", "role=till"},
		{"a field", head + "policy: {maxActive: many, rules: [{name: r, match: {all: true}, verdict: approve}]}", "hold unreadable layer [] true", "role=till"},
		{"the same list twice", head + "policy: {rules: [{name: r, match: {all: true}, verdict: approve}], rules: [{name: r, match: {all: true}, verdict: reject}]}",
			"hold unreadable layer [] true", "role=till"},
		{"the filter", "name: a\ntenant: x\nlevel: group\ndevices: '=='\npolicy: {rules: [{name: r, match: {all: true}, verdict: approve}]}", "hold unreadable layer [] true", ""},
		{"no filter, behind another fault", "name: a\ntenant: x\nlevel: group\nother: 1\n", "hold unreadable layer [] true", ""},
		{"the filter twice", head + "devices: role=bar\n", "hold unreadable layer [] true", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, refused, err := ReadLayer(strings.NewReader(row.doc), "f")
			require.NoError(t, err)
			require.NotEmpty(t, refused)
			require.ErrorContains(t, refused[0], "policy: f:")
			require.NoError(t, l.Validate())
			var rules []string
			for _, r := range l.Policy.Rules {
				ids := make([]string, len(r.Match.IDs))
				for i, id := range r.Match.IDs {
					ids[i] = string(id)
				}
				all := "false"
				if r.Match.All {
					all = "true"
				}
				rules = append(rules, r.Verdict.String()+" "+r.Name+" ["+strings.Join(ids, " ")+"] "+all)
			}
			require.Equal(t, row.rules, strings.Join(rules, ", "))
			require.Equal(t, row.devices, l.Devices.String())
			require.Equal(t, inventory.Tenant("x"), l.Tenant)
		})
	}
	for _, doc := range []string{"", "7", "name: a", "tenant: x", "name: a\ntenant: 7", "name: a\ntenant: x\ntenant: y", "name: a\ntenant: x//y\nother: 1",
		"name: a\npolicy: {rules: [" + strings.Repeat("{},", 300) + "]}\ntenant: x"} {
		_, _, err := ReadLayer(strings.NewReader(doc), "f")
		require.Error(t, err, "%.40s", doc)
	}
}

// Whatever a document holds, what is read of it is valid, about the tenant that it names, and resolves or says why not; and
// what cannot be read strictly lets nothing through that it would have kept away.
func FuzzReadLayer(f *testing.F) {
	f.Add([]byte(soundLayer))
	f.Add([]byte("name: 0.\ntenant: x\nlevel: group\n0: 1"))
	f.Add([]byte(`{"name":"a","tenant":"","policy":{"rules":[{"name":"r","match":{"ids":["x"]},"verdict":"reject"}]},"zero":["need"]}`))
	f.Add([]byte("name: a\ntenant: x\npolicy: {rules: [{name: r, match: {ids: [KB1], minAge: no}, verdict: reject}, &x {}, *x]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		strict, strictErr := DecodeLayer(bytes.NewReader(data), "f")
		l, refused, err := ReadLayer(bytes.NewReader(data), "f")
		require.Equal(t, strictErr == nil, err == nil && len(refused) == 0)
		if err != nil {
			require.Equal(t, Layer{}, l)
			return
		}
		require.NoError(t, l.Validate())
		if strictErr == nil {
			require.Equal(t, strict, l)
			requireReadBack(t, l)
		}
		e, err := Resolve([]Layer{l}, &inventory.Device{Tenant: l.Tenant, ID: "a"})
		if err == nil {
			require.NoError(t, e.Policy.Validate())
			require.NotEmpty(t, e.String())
		}
		e, err = Resolve([]Layer{l}, &inventory.Device{Tenant: "another", ID: "a"})
		if err == nil && !l.Tenant.Contains("another") {
			require.Empty(t, e.Layers)
		}
	})
}
