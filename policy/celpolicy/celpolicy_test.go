package celpolicy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/celpolicy"
	"github.com/patchflow/patchflow/policy/predicate"
)

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

func full() (*patch.Patch, *inventory.Device) {
	return &patch.Patch{
			ID: "vendor:KB1", Title: "Cumulative update", Classification: patch.ClassSecurity, Severity: patch.SeverityImportant,
			Advisories: []patch.Advisory{{CVEs: []string{"CVE-2026-1"}, Exploited: patch.Yes, EPSS: 0.5, Scores: []patch.Score{{Base: 9.8}}}},
			Packages:   []patch.Package{{Name: "openssl"}, {Name: "openssl"}, {}}, Reboot: patch.RebootAlways, Reversal: patch.ReversalUninstall, Size: 1000,
			Released: noon().AddDate(0, 0, -9), Modified: noon().AddDate(0, 0, -2),
		}, &inventory.Device{
			Tenant: "acme/berlin", ID: "web-1", Labels: map[string]string{"site": "oslo", "new key": "x"}, Exposure: inventory.Public,
			Platform: patch.Platform{OS: "debian", Version: "12.5", Arch: "amd64"}, Zone: "Europe/Berlin", PendingReboot: patch.No, LastSeen: noon().Add(-time.Hour),
		}
}

// Each of these holds for the full patch and device, and is unknown for those of which nothing is known, unless it says more.
func TestEveryField(t *testing.T) {
	x, d := full()
	for _, row := range []struct {
		text string
		bare patch.Tri // for a patch and a device with nothing but zeros
	}{
		{`patch.id == "vendor:KB1"`, patch.Unknown},
		{`patch.source == "vendor"`, patch.Unknown},
		{`patch.title.contains("update")`, patch.Unknown},
		{`patch.classification in ["security", "critical"]`, patch.Unknown},
		{`patch.severity >= moderate && patch.severity < critical && patch.severity > low && patch.severity == important`, patch.Unknown},
		{`patch.exploited`, patch.Unknown},
		{`!patch.contested`, patch.Yes},
		{`!patch.withdrawn`, patch.Yes},
		{`patch.epss >= 0.5`, patch.Unknown},
		{`patch.cvss > 9.0`, patch.Unknown},
		{`"CVE-2026-1" in patch.cves`, patch.Unknown},
		{`patch.packages == ["openssl"]`, patch.Unknown},
		{`patch.reboot == "always"`, patch.Unknown},
		{`patch.reversal == "uninstall"`, patch.Unknown},
		{`patch.size == 1000`, patch.Unknown},
		{`now - patch.released >= duration("168h")`, patch.Unknown},
		{`now - patch.modified < duration("168h")`, patch.Unknown},
		{`device.id == "web-1"`, patch.Unknown},
		{`device.name == "web-1"`, patch.Unknown},
		{`device.tenant == "acme/berlin"`, patch.No},
		{`device.os == "debian"`, patch.Unknown},
		{`device.version.startsWith("12")`, patch.Unknown},
		{`device.arch == "amd64"`, patch.Unknown},
		{`device.zone == "Europe/Berlin"`, patch.Unknown},
		{`device.exposure == "public"`, patch.Unknown},
		{`!device.pendingReboot`, patch.Unknown},
		{`now - device.lastSeen < duration("2h")`, patch.Unknown},
		{`device.labels["site"] == "oslo"`, patch.Unknown},
		{`device.labels.site == "oslo"`, patch.Unknown},
		{`device.labels["new key"] == "x"`, patch.Unknown},
		{`has(device.labels.site)`, patch.Unknown},
		{`"site" in device.labels`, patch.No},
		{`device.labels.exists(k, k == "site")`, patch.No},
		{`patch.severity >= important || device.tenant == ""`, patch.Yes},
		{`patch.severity >= important && device.tenant != ""`, patch.No},
	} {
		p, err := celpolicy.Compile(row.text, celpolicy.Config{})
		require.NoError(t, err, row.text)
		require.Equal(t, row.text, p.String())
		for _, c := range []struct {
			x    *patch.Patch
			d    *inventory.Device
			want patch.Tri
		}{{x, d, patch.Yes}, {&patch.Patch{}, &inventory.Device{}, row.bare}} {
			got, err := p.Eval(c.x, c.d, noon())
			require.NoError(t, err, row.text)
			require.Equal(t, c.want, got, row.text)
			got, err = p.For(c.x, noon()).Eval(c.d)
			require.NoError(t, err, row.text)
			require.Equal(t, c.want, got, row.text)
		}
		got, err := p.Eval(nil, nil, time.Time{})
		require.NoError(t, err, row.text)
		require.Equal(t, patch.Unknown, got, row.text)
	}
}

func TestWhatIsWrongIsAnErrorOfCompile(t *testing.T) {
	for text, want := range map[string]string{
		`patch.severty >= 3`:             "1:6",
		`patch.severity >= "high"`:       "no matching overload",
		`patch.severity`:                 "the expression gives a value of type int, not a truth",
		`true &&`:                        "Syntax error",
		`patient.severity >= 3`:          "undeclared reference",
		strings.Repeat("true && ", 5000): "exceeds limit",
		strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500): "celpolicy:",
	} {
		_, err := celpolicy.Compile(text, celpolicy.Config{})
		require.ErrorContains(t, err, want, text)
	}
	_, err := celpolicy.Compile("true && true", celpolicy.Config{MaxText: 5})
	require.ErrorContains(t, err, "exceeds limit")
}

// What CEL lets anybody write: five loops within each other, and a text that doubles.
func TestHostileExpressionsEnd(t *testing.T) {
	x, d := full()
	list := "[" + strings.Repeat("1, ", 200) + "1]"
	loops := "true"
	for i := range 5 {
		loops = fmt.Sprintf("%s.all(v%d, %s)", list, i, loops)
	}
	for _, text := range []string{
		loops,
		`[1,2,3,4,5,6,7,8].map(a, [1,2,3,4,5,6,7,8].map(b, [1,2,3,4,5,6,7,8].map(c, [1,2,3,4,5,6,7,8].map(d, [a, b, c, d])))).size() > now.getFullYear()`,
	} {
		p, err := celpolicy.Compile(text, celpolicy.Config{})
		require.NoError(t, err)
		got, err := p.Eval(x, d, noon())
		require.ErrorIs(t, err, celpolicy.ErrCost)
		require.Equal(t, patch.Unknown, got)
		m := p.For(x, noon())
		for range 2 {
			got, err = m.Eval(d)
			require.ErrorIs(t, err, celpolicy.ErrCost, "remembered too")
			require.Equal(t, patch.Unknown, got)
		}
	}
}

func TestTheLimitIsTheOneThatIsSet(t *testing.T) {
	x, d := full()
	const text = `patch.cves.all(c, patch.cves.all(e, c == e))`
	for _, limit := range []uint64{1, 1000} {
		p, err := celpolicy.Compile(text, celpolicy.Config{CostLimit: limit})
		require.NoError(t, err)
		_, err = p.Eval(x, d, noon())
		if limit == 1 {
			require.ErrorIs(t, err, celpolicy.ErrCost)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestAnErrorWhileEvaluatingIsUnknown(t *testing.T) {
	p, err := celpolicy.Compile(`1 / (patch.size - 1000) > 1`, celpolicy.Config{})
	require.NoError(t, err)
	x, d := full()
	got, err := p.Eval(x, d, noon())
	require.ErrorContains(t, err, "division by zero")
	require.NotErrorIs(t, err, celpolicy.ErrCost)
	require.Equal(t, patch.Unknown, got)
}

// Devices that differ in what an expression asks for never share an answer.
func TestMemoSaysWhatEvalSays(t *testing.T) {
	x, _ := full()
	var devices []*inventory.Device
	for i := range 600 {
		d := &inventory.Device{
			ID: inventory.DeviceID(fmt.Sprint(i)), Tenant: inventory.Tenant([]string{"", "a"}[i%2]), Exposure: inventory.Exposure(i / 2 % 3),
			Platform: patch.Platform{OS: []string{"", "debian"}[i/6%2], Version: []string{"", "debian"}[i/12%2]}, PendingReboot: patch.Tri(i / 24 % 3),
		}
		if i%5 > 0 {
			d.Labels = map[string]string{[]string{"site", "role", "x"}[i%3]: []string{"", "oslo", "rome"}[i/3%3]}
		}
		if i%4 == 0 {
			d.LastSeen = noon().Add(-time.Duration(i) * time.Hour)
		}
		devices = append(devices, d)
	}
	for text, most := range map[string]int{
		`device.os == "debian" && patch.severity >= important`:                       2,
		`device.os == device.version`:                                                4,
		`device.exposure == "public" || device.pendingReboot`:                        9,
		`device.labels["site"] == "oslo" || device.labels.role == "rome"`:            7,
		`device.labels.exists(k, device.labels[k] == "oslo") && device.tenant != ""`: 20,
		`device.labels.size() > 0`:                                                   10,
		`device == device && device.labels.size() == 1`:                              600,
		`now - device.lastSeen > duration("100h")`:                                   151,
		`patch.exploited`: 1,
	} {
		p, err := celpolicy.Compile(text, celpolicy.Config{})
		require.NoError(t, err)
		m := p.For(x, noon())
		for _, d := range devices {
			want, wantErr := p.Eval(x, d, noon())
			got, err := m.Eval(d)
			require.Equal(t, wantErr == nil, err == nil)
			require.Equal(t, want, got, "%s: %+v", text, d)
		}
		require.LessOrEqual(t, m.Len(), most, text)
		got, err := m.Eval(nil)
		require.NoError(t, err)
		want, err := p.Eval(x, nil, noon())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// One rule in both languages.
func TestBothLanguagesAgree(t *testing.T) {
	c, err := celpolicy.Compile(`patch.severity >= important && now - patch.released >= duration("168h") && (patch.exploited || device.labels["site"] in ["oslo", "rome"])`, celpolicy.Config{})
	require.NoError(t, err)
	p := predicate.Compile(predicate.MustParse(`severity >= important and age >= 7d and (exploited or label.site in (oslo, rome))`))
	seen := map[patch.Tri]int{}
	for i := range 5 * 3 * 3 * 4 {
		x := &patch.Patch{Severity: patch.Severity(i % 5), Advisories: []patch.Advisory{{Exploited: patch.Tri(i / 5 % 3)}}}
		if age := i / 15 % 3; age > 0 {
			x.Released = noon().AddDate(0, 0, -4*age)
		}
		d := &inventory.Device{}
		if site := i / 45; site > 0 {
			d.Labels = map[string]string{"site": []string{"", "oslo", "bergen", "rome"}[site]}
		}
		got, err := c.Eval(x, d, noon())
		require.NoError(t, err)
		require.Equal(t, p.Eval(predicate.Facts{Patch: x, Device: d, Now: noon()}), got)
		seen[got]++
	}
	require.Len(t, seen, 3)
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{"", "true", `patch.severity >= important && device.labels["a"] == "b"`, `device == device`, `[1].all(x, x > 0)`, `has(device.labels.x)`} {
		f.Add(text)
	}
	x, d := full()
	f.Fuzz(func(t *testing.T, text string) {
		p, err := celpolicy.Compile(text, celpolicy.Config{CostLimit: 1000})
		if err != nil {
			return
		}
		want, wantErr := p.Eval(x, d, noon())
		got, err := p.For(x, noon()).Eval(d)
		require.Equal(t, wantErr == nil, err == nil)
		require.Equal(t, want, got)
	})
}

func ExampleCompile() {
	p, err := celpolicy.Compile(`patch.severity >= important && device.labels["site"] == "oslo"`, celpolicy.Config{CostLimit: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	x := &patch.Patch{ID: "vendor:1", Severity: patch.SeverityCritical}
	memo := p.For(x, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	for i, site := range []string{"oslo", "rome", "oslo", "oslo"} {
		fmt.Println(memo.Eval(&inventory.Device{ID: inventory.DeviceID(fmt.Sprint(i)), Labels: map[string]string{"site": site}}))
	}
	fmt.Println(memo.Eval(&inventory.Device{ID: "none"}))
	fmt.Println("evaluated", memo.Len(), "times")
	// Output:
	// yes <nil>
	// no <nil>
	// yes <nil>
	// yes <nil>
	// unknown <nil>
	// evaluated 3 times
}
