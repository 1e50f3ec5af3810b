package inventory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func ada() *inventory.Device {
	return &inventory.Device{
		Tenant: "acme/berlin", ID: "ada-1", Name: "Ada", Zone: "Europe/Berlin", Exposure: inventory.Public,
		Labels:   map[string]string{"role": "web", "site": "eu-west", "empty": "", "odd key": `a "b" \c`, "Büro": "Süd"},
		Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
	}
}

func TestSelectorMatches(t *testing.T) {
	tests := []struct {
		selector string
		want     bool
	}{
		{"", false},
		{"  ", false},
		{"*", true},
		{" * ", true},

		{"role=web", true},
		{"role=we", false},
		{"role=Web", false},
		{"role = web , site = eu-west", true},
		{"role=web,site=us", false},
		{"role=web,role=db", false},
		{"role!=db", true},
		{"role!=web", false},
		{"nosuch!=web", true},
		{"nosuch,nosuch!=web", false},
		{"nosuch=web", false},
		{`nosuch=""`, false},
		{`empty=""`, true},
		{`role=""`, false},

		{"role", true},
		{"empty", true},
		{"nosuch", false},
		{"!nosuch", true},
		{"! role", false},
		{"!role,site", false},

		{"role in (db,web)", true},
		{"role in ( db , web )", true},
		{"role in (web)", true},
		{"role in (db,mail)", false},
		{"nosuch in (db)", false},
		{"role notin (db,mail)", true},
		{"role notin (db,web)", false},
		{"nosuch notin (db,web)", true},
		{"role in(web)", true},

		{"site=eu-*", true},
		{"site=us-*", false},
		{"site!=us-*", true},
		{"site!=eu-*", false},
		{"site=eu-west*", true},
		{"site=eu-west-*", false},
		{`site="eu-*"`, false},
		{`"odd key"="a \"b"*`, true},
		{"site in (us-*,eu-*)", true},
		{"site notin (us-*,eu-*)", false},
		{"site=*", true},
		{"empty=*", true},
		{"nosuch=*", false},

		{`"odd key"="a \"b\" \\c"`, true},
		{`"odd key"`, true},
		{"Büro=Süd", true},

		{"device.id=ada-1", true},
		{"device.id in (bob,ada-1)", true},
		{"device.name=Ada", true},
		{"device.os=debian,device.version=12,device.arch=amd64", true},
		{"device.os=windows", false},
		{"device.version=1*", true},
		{"device.zone=Europe/Berlin", true},
		{"device.zone=Europe/*", true},
		{"device.exposure=public", true},
		{"device.exposure!=internal", true},
		{"device.exposure", true},
		{"device.exposure=unknown", false},
		{"device.tenant=acme/berlin", true},
		{"device.tenant=acme", true},
		{"device.tenant=acm", false},
		{"device.tenant=acme/berlin/x", false},
		{"device.tenant!=acme", false},
		{"device.tenant in (zeta,acme)", true},
		{"device.tenant notin (zeta,acme)", false},
		{"device.tenant=acme/ber*", true},
		{`device.tenant=""`, false},
	}
	d := ada()
	for _, test := range tests {
		t.Run(test.selector, func(t *testing.T) {
			s, err := inventory.ParseSelector(test.selector)
			require.NoError(t, err)
			require.Equal(t, test.want, s.Matches(d))
			require.Zero(t, testing.AllocsPerRun(10, func() { s.Matches(d) }))
			require.False(t, s.Matches(nil))
		})
	}
}

func TestSelectorOnADeviceOfWhichNothingIsKnown(t *testing.T) {
	d := &inventory.Device{ID: "bob"}
	for selector, want := range map[string]bool{
		"*":                       true,
		"device.zone":             false,
		"!device.zone":            true,
		"device.zone=*":           false,
		`device.zone=""`:          true,
		`device.zone!=""`:         false,
		"device.zone!=UTC":        true,
		"device.os notin (linux)": true,
		"device.exposure":         false,
		"device.exposure=unknown": true,
		"device.exposure=*":       false,
		"device.name=bob":         true,
		`device.tenant=""`:        true,
		"device.tenant=acme":      false,
		"role":                    false,
		"!role":                   true,
	} {
		require.Equal(t, want, inventory.MustSelector(selector).Matches(d), selector)
	}
}

func TestSelectorErrors(t *testing.T) {
	tests := []struct{ selector, want string }{
		{"role=", `character 6: want a value, not the end`},
		{"=web", `character 1: want a key, not "="`},
		{"role==web", `character 6: want a value, not "="`},
		{"role=web,", `character 10: want a key, not the end`},
		{",role", `character 1: want a key, not ","`},
		{"role web", `character 6: want =, !=, in, notin or a comma after role, not "w"`},
		{`role "in" (web)`, `character 6: want =, !=, in, notin or a comma after role`},
		{"role=web site=eu", `character 10: want a comma or the end, not "s"`},
		{"role in web", `character 9: want a list in brackets, not "w"`},
		{"role in ()", `character 10: want a value, not ")"`},
		{"role in (web", `character 13: want a comma or ) in the list, not the end`},
		{"role in (web,)", `character 14: want a value, not ")"`},
		{"role in (web db)", `character 14: want a comma or ) in the list, not "d"`},
		{"!", `character 2: want a key, not the end`},
		{"!role=web", `character 6: want a comma or the end, not "="`},
		{"!!role", `character 2: want a key, not "!"`},
		{"*,role=web", `character 2: * stands alone, but "," follows`},
		{"role=web,*", `character 10: want a key, not "*"`},
		{"role=*b", `character 7: want a comma or the end, not "b"`},
		{"role=a*b", `character 8: want a comma or the end, not "b"`},
		{"role=a b", `character 8: want a comma or the end, not "b"`},
		{`role="web`, `character 6: the quote is not closed`},
		{`role="w\n"`, `character 8: want \" or \\ within quotes`},
		{`role="w\`, `character 8: want \" or \\ within quotes`},
		{`""=web`, `character 1: the key is empty`},
		{"Büro=§", `character 6: want a value, not "§"`},
		{"role=\xff", `character 6: not UTF-8`},
		{"role=web,device.owner=x", `character 10: device.owner is no fact about a device`},
		{"device.=x", `character 1: device. is no fact about a device`},
		{"device.exposure=open", `character 17: "open" is no exposure: want one of unknown, internal, public`},
		{`device.exposure in (public,"")`, `character 28: "" is no exposure`},
	}
	for _, test := range tests {
		t.Run(test.selector, func(t *testing.T) {
			s, err := inventory.ParseSelector(test.selector)
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "inventory: selector ")
			require.True(t, s.IsZero())
			require.Panics(t, func() { inventory.MustSelector(test.selector) })
		})
	}
	_, err := inventory.ParseSelector(strings.Repeat("a", 1<<17+1))
	require.ErrorContains(t, err, "selector of 131073 bytes: at most 131072 are allowed")
	_, err = inventory.ParseSelector(strings.Repeat("ä", 1000) + "=")
	require.ErrorContains(t, err, "character 1002")
	require.Less(t, len(err.Error()), 300)
}

func TestSelectorHasACanonicalForm(t *testing.T) {
	tests := []struct{ selector, want string }{
		{"", ""},
		{" ", ""},
		{"*", "*"},
		{" site = eu , role=web ", "role=web,site=eu"},
		{"role=web,role=web", "role=web"},
		{"role in (web)", "role=web"},
		{"role notin (web,web)", "role!=web"},
		{"role in (web, db,web)", "role in (db,web)"},
		{"role in (x*, b,*)", "role in (b,*,x*)"},
		{`role="web"`, "role=web"},
		{`"role"=w*`, "role=w*"},
		{`role="w "*`, `role="w "*`},
		{"role=*", "role=*"},
		{`role=""`, `role=""`},
		{`role="*"`, `role="*"`},
		{"! role", "!role"},
		{"in in (in)", "in=in"},
		{`"a\\\"b"`, `"a\\\"b"`},
		{"!a,a,a!=1,a=1", "a=1,a!=1,a,!a"},
	}
	for _, test := range tests {
		s := inventory.MustSelector(test.selector)
		require.Equal(t, test.want, s.String(), test.selector)
		require.True(t, s.Equal(inventory.MustSelector(test.want)))
	}
	require.Equal(t, "*", inventory.All().String())
	require.True(t, inventory.All().Equal(inventory.MustSelector("*")))
	require.False(t, inventory.All().Equal(inventory.Selector{}))
	require.False(t, inventory.MustSelector("a").Equal(inventory.MustSelector("a,b")))
	require.False(t, inventory.MustSelector("a=b").Equal(inventory.MustSelector("a=b*")))
	require.Empty(t, cmp.Diff(inventory.MustSelector("a,b"), inventory.MustSelector("b,a")))
}

func TestSelectorIsZero(t *testing.T) {
	require.True(t, inventory.Selector{}.IsZero())
	require.True(t, inventory.MustSelector("").IsZero())
	require.False(t, inventory.All().IsZero())
	require.False(t, inventory.MustSelector("role").IsZero())
}

func TestSelectorSurvivesJSONAndYAML(t *testing.T) {
	type document struct {
		Devices inventory.Selector `json:"devices,omitzero" yaml:"devices,omitempty"`
	}
	for selector, want := range map[string][2]string{
		"":               {`{}`, "{}\n"},
		"*":              {`{"devices":"*"}`, "devices: '*'\n"},
		"!role,site=eu*": {`{"devices":"!role,site=eu*"}`, "devices: '!role,site=eu*'\n"},
	} {
		before := document{inventory.MustSelector(selector)}
		text, err := json.Marshal(before)
		require.NoError(t, err)
		require.Equal(t, want[0], string(text))
		var after document
		require.NoError(t, json.Unmarshal(text, &after))
		require.Equal(t, before, after)

		text, err = yaml.Marshal(before)
		require.NoError(t, err)
		require.Equal(t, want[1], string(text))
		after = document{}
		require.NoError(t, yaml.Unmarshal(text, &after))
		require.Equal(t, before, after)
	}
	var broken document
	require.ErrorContains(t, json.Unmarshal([]byte(`{"devices":"role=="}`), &broken), "character 6")
	require.ErrorContains(t, yaml.Unmarshal([]byte(`devices: role==`), &broken), "character 6")

	s := inventory.MustSelector("role")
	require.Error(t, s.UnmarshalText([]byte("role=")))
	require.Equal(t, "role", s.String(), "a failed reading changed the selector")
}

func FuzzParseSelector(f *testing.F) {
	for _, seed := range []string{"", "*", "role=web", "a!=b,!c,d", "a in (b,c*)", `a notin ("x y"*, "")`, "device.tenant=acme",
		"device.exposure=public", `"a\"\\"="b"`, "a=\ufffd", "Büro=Süd*", "device.x", "a=", "a in (", "!*"} {
		f.Add(seed)
	}
	d := ada()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		s, err := inventory.ParseSelector(text)
		if err != nil {
			if !s.IsZero() {
				t.Fatalf("%q: an error, and a selector: %s", text, s)
			}
			return
		}
		canonical := s.String()
		back, err := inventory.ParseSelector(canonical)
		if err != nil {
			t.Fatalf("%q: its canonical form cannot be read: %v", text, err)
		}
		if !back.Equal(s) || back.String() != canonical {
			t.Fatalf("%q became %q, and that %q", text, canonical, back.String())
		}
		if back.Matches(d) != s.Matches(d) {
			t.Fatalf("%q and %q pick different devices", text, canonical)
		}
		if s.IsZero() && s.Matches(d) {
			t.Fatalf("%q is empty and picks a device", text)
		}
	})
}

func BenchmarkSelectorMatches(b *testing.B) {
	var list strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&list, "dev-%d,", i)
	}
	d := ada()
	for name, s := range map[string]inventory.Selector{
		"labels": inventory.MustSelector("role=web,site=eu-*,stage notin (test,dev)"),
		"facts":  inventory.MustSelector("device.tenant=acme,device.os=debian,device.exposure=public"),
		"list":   inventory.MustSelector("device.id in (" + list.String() + "ada-1)"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !s.Matches(d) {
					b.Fatal("no match")
				}
			}
		})
	}
}
