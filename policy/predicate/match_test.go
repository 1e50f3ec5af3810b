package predicate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy/predicate"
)

// eval evaluates a text about a device.
func eval(t *testing.T, text string, d *inventory.Device) patch.Tri {
	t.Helper()
	e, err := predicate.Parse(text)
	require.NoError(t, err, text)
	return predicate.Compile(e).Eval(predicate.Facts{Device: d, Now: noon()})
}

func TestGlob(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "x", true}, {"**", "x", true}, {"?", "x", true}, {"?", "xy", false}, {"?", "ß", true}, {"??", "ß", false},
		{"a*b", "ab", true}, {"a*b", "a/long/b", true}, {"a*b", "abc", false}, {"*a*b*", "xxaxxbxx", true}, {"*ab", "aab", true},
		{"*ab*ab", "ab", false}, {"*ß", "aaß", true}, {`\*`, "*", true}, {`\*`, "x", false}, {`\\`, `\`, true}, {`a\?`, "a?", true}, {`a\?`, "ab", false},
		{"[a]", "[a]", true}, {"[a]", "a", false}, {"A", "a", false}, {"", "x", false}, {"a*", "a", true}, {"a?", "a", false},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		quoted := `"` + strings.ReplaceAll(row.pattern, `\`, `\\`) + `"`
		got := eval(t, "device.name glob "+quoted, &inventory.Device{Name: row.text})
		require.Equal(t, patch.TriOf(row.want), got, "%s %s", row.pattern, row.text)
	}
}

func TestReleases(t *testing.T) {
	for _, row := range []struct {
		have, test string
		want       patch.Tri
	}{
		{"12.5", "= 12", patch.Yes}, {"12.5", "<= 12", patch.Yes}, {"12.5", "> 12", patch.No}, {"12.5", "!= 12", patch.No},
		{"12", "= 12.5", patch.Unknown}, {"12", "< 12.5", patch.Unknown}, {"12", "< 13.5", patch.Yes}, {"11", "= 12.5", patch.No},
		{"9", "< 10", patch.Yes}, {"010", "= 10", patch.Yes}, {"10.0.22631", ">= 10.0.19045", patch.Yes},
		{"99999999999999999999999", "> 99999999999999999999998", patch.Yes},
		{"24H2", "= 24H2", patch.Yes}, {"24H2", "= 23H2", patch.No}, {"24H2", "!= 23H2", patch.Yes}, {"24H2", "> 23H2", patch.Unknown},
		{"24H2", "in (23H2, 24H2)", patch.Yes}, {"12", "in (11, 12.5)", patch.Unknown}, {"12", "in (11, 13)", patch.No}, {"", "= 12", patch.Unknown},
	} {
		got := eval(t, "device.version "+row.test, &inventory.Device{Platform: patch.Platform{Version: row.have}})
		require.Equal(t, row.want, got, "%s %s", row.have, row.test)
	}
}

func TestTenants(t *testing.T) {
	for _, row := range []struct {
		have, test string
		want       patch.Tri
	}{
		{"acme/berlin", "= acme", patch.Yes}, {"acme", "= acme", patch.Yes}, {"acmeother", "= acme", patch.No}, {"acme", "= acme/berlin", patch.No},
		{"", `= ""`, patch.Yes}, {"acme", `= ""`, patch.No}, {"acme/berlin", "!= acme", patch.No}, {"acme/berlin", "in (other, acme)", patch.Yes},
		{"acme/berlin", `glob "*/berlin"`, patch.Yes},
	} {
		require.Equal(t, row.want, eval(t, "device.tenant "+row.test, &inventory.Device{Tenant: inventory.Tenant(row.have)}), "%s %s", row.have, row.test)
	}
}

// Versions are compared in the order of what has them installed; another order says nothing.
func TestVersions(t *testing.T) {
	finding := func(scheme version.Scheme, text string) *inventory.Finding {
		return &inventory.Finding{Packages: []inventory.Missing{{Installed: version.Version{Scheme: scheme, Text: text}}}}
	}
	p := predicate.Compile(predicate.MustParse(`finding.installed < "2.0"`))
	require.Equal(t, patch.Yes, p.Eval(predicate.Facts{Finding: finding(version.Deb, "2.0~rc1")}))
	require.Equal(t, patch.No, p.Eval(predicate.Facts{Finding: finding(version.Deb, "1:0.5")}))
	require.Equal(t, patch.Unknown, p.Eval(predicate.Facts{Finding: finding("nobody's", "1")}))
	require.Equal(t, patch.Unknown, p.Eval(predicate.Facts{Finding: &inventory.Finding{}}))
}

// A quantifier asks for one advisory that is all of it, comparisons side by side for any.
func TestAnyAdvisory(t *testing.T) {
	x := &patch.Patch{Advisories: []patch.Advisory{
		{ID: "A", Severity: patch.SeverityCritical, Exploited: patch.No}, {ID: "B", Severity: patch.SeverityLow, Exploited: patch.Yes},
	}}
	for text, want := range map[string]patch.Tri{
		"advisory.severity = critical and advisory.exploited":                   patch.Yes,
		"any advisory (advisory.severity = critical and advisory.exploited)":    patch.No,
		"any advisory (advisory.severity = low and advisory.exploited)":         patch.Yes,
		"any advisory (not advisory.severity = low)":                            patch.Yes,
		"not any advisory (not advisory.severity >= low)":                       patch.Yes,
		"not advisory.severity = low":                                           patch.No,
		"any advisory (advisory.epss > 0.5)":                                    patch.Unknown,
		"exists advisory.epss":                                                  patch.No,
		"any advisory (true)":                                                   patch.Yes,
		"any advisory (advisory.id = B and not exists advisory.title or false)": patch.Yes,
	} {
		require.Equal(t, want, predicate.Compile(predicate.MustParse(text)).Eval(predicate.Facts{Patch: x}), text)
	}
}

func TestZeroValuesHoldForNothing(t *testing.T) {
	f := predicate.Facts{Patch: &patch.Patch{}, Device: &inventory.Device{}, Now: noon()}
	var zero predicate.Predicate
	require.Equal(t, patch.No, zero.Eval(f))
	require.False(t, zero.MayMatch(f))
	require.True(t, zero.Expr().IsZero())
	p := predicate.Compile(predicate.Expr{})
	require.Equal(t, patch.No, p.Eval(f))
	e := predicate.MustParse("exploited")
	require.True(t, predicate.Compile(e).Expr().Equal(e))
	require.Equal(t, predicate.Needs{}, predicate.Expr{}.Needs())
}

func TestIterationsStopWhenAsked(t *testing.T) {
	groups := predicate.NewGroups(predicate.NewSet(predicate.MustParse("device.os = a"), predicate.MustParse("device.os = b")))
	for _, id := range []inventory.DeviceID{"1", "2", "3"} {
		groups.Put(&inventory.Device{ID: id, Platform: patch.Platform{OS: "a"}}, noon())
	}
	groups.Put(&inventory.Device{ID: "4", Platform: patch.Platform{OS: "b"}}, noon())
	turns := 0
	for i := range groups.All() {
		for range groups.Members(i) {
			turns++
			break
		}
		break
	}
	require.Equal(t, 1, turns)
}
