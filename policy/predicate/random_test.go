package predicate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy/predicate"
)

func noon() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

// A maker draws patches, devices, findings and expressions that have a fair chance to be about each other.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 26))} }

func pick[T any](m maker, all ...T) T { return all[m.IntN(len(all))] }

func (m maker) word() string {
	return pick(m, "a", "b", "ab", "abc", "linux-image-6", "acme/berlin", "acme", "oslo", "new york", `q"\`, "straße", "not")
}

// maybe returns nothing as often as a word.
func (m maker) maybe() string { return pick(m, "", m.word()) }

func (m maker) words() (all []string) {
	for range m.IntN(4) {
		all = append(all, m.word())
	}
	return all
}

func (m maker) ids() (all []patch.ID) {
	for _, w := range m.words() {
		all = append(all, patch.ID("s:"+w))
	}
	return all
}

func (m maker) since() time.Time {
	return pick(m, time.Time{}, noon().Add(-time.Duration(m.IntN(10))*24*time.Hour), noon().Add(time.Hour))
}

func (m maker) release() string {
	return pick(m, "", "12", "12.5", "12.10", "13", "10.0.22631", "24H2", "11.24H2")
}

func (m maker) version() version.Version {
	return pick(m, version.Version{}, version.Version{Scheme: version.Deb, Text: pick(m, "1.0", "1:0.5", "2.0~rc1", "2.0")},
		version.Version{Scheme: "nobody's", Text: "1"}, version.Version{Scheme: version.SemVer, Text: "1.2.3"})
}

func (m maker) tri() patch.Tri { return patch.Tri(m.IntN(3)) }

func (m maker) patch() *patch.Patch {
	if m.IntN(20) == 0 {
		return nil
	}
	x := &patch.Patch{
		ID: patch.ID(pick(m, "", "s:"+m.word(), "a:"+m.word())), Aliases: m.ids(), Title: m.maybe(), Classification: patch.Classification(m.IntN(10)),
		Severity: patch.Severity(m.IntN(5)), Contested: m.IntN(2) == 0, Withdrawn: m.since(), Supersedes: m.ids(), Requires: m.ids(),
		Platform: patch.Platform{OS: m.maybe(), Version: m.release(), Arch: m.maybe()}, Reboot: patch.Reboot(m.IntN(4)),
		Reversal: patch.Reversal(m.IntN(5)), Size: pick[int64](m, 0, 1, 500_000_000, 1<<30), Released: m.since(), Modified: m.since(),
	}
	for range m.IntN(3) {
		a := patch.Advisory{ID: m.maybe(), Title: m.maybe(), CVEs: m.words(), Severity: patch.Severity(m.IntN(5)), Exploited: m.tri(),
			EPSS: pick(m, 0, 0.1, 0.5, 1), Published: m.since(), KnownSince: m.since()}
		for range m.IntN(3) {
			a.Scores = append(a.Scores, patch.Score{Base: pick(m, 0, 5, 7.5, 9.8)})
		}
		x.Advisories = append(x.Advisories, a)
	}
	for range m.IntN(3) {
		x.Packages = append(x.Packages, patch.Package{Ecosystem: m.maybe(), Name: m.maybe(), Source: m.maybe(), Origins: m.words()})
	}
	return x
}

func (m maker) device(id int) *inventory.Device {
	d := &inventory.Device{
		Tenant: inventory.Tenant(m.maybe()), ID: inventory.DeviceID(fmt.Sprint("d", id)), Name: m.maybe(), Zone: m.maybe(),
		Platform: patch.Platform{OS: m.maybe(), Version: m.release(), Arch: m.maybe()}, Exposure: inventory.Exposure(m.IntN(3)),
		LastSeen: m.since(), PendingReboot: m.tri(), PendingSince: m.since(),
		Updaters: pick(m, nil, []string{}, m.words()),
	}
	if m.IntN(4) > 0 {
		d.Labels = map[string]string{}
		for range m.IntN(4) {
			d.Labels[pick(m, "site", "role", `odd "key`)] = m.maybe()
		}
	}
	for range m.IntN(3) {
		d.Coverage = append(d.Coverage, inventory.Coverage{Manager: m.word(), Status: pick(m, inventory.Complete, inventory.Complete, inventory.Failed)})
		d.Software = append(d.Software, inventory.Software{Name: m.word()})
	}
	return d
}

func (m maker) finding() *inventory.Finding {
	if m.IntN(3) == 0 {
		return nil
	}
	f := &inventory.Finding{Evidence: inventory.Evidence(m.IntN(3)), SupersededBy: patch.ID(m.maybe())}
	for range m.IntN(3) {
		f.Packages = append(f.Packages, inventory.Missing{
			Manager: m.word(), Ecosystem: m.word(), Name: m.word(), Installed: m.version(), Fixed: m.version(), Held: m.IntN(2) == 0,
		})
	}
	return f
}

func (m maker) facts() predicate.Facts {
	f := predicate.Facts{Patch: m.patch(), Device: m.device(0), Finding: m.finding(), Now: pick(m, noon(), noon(), noon(), time.Time{})}
	if m.IntN(20) == 0 {
		f.Device = nil
	}
	return f
}

// value draws what a field can be compared with.
func (m maker) value(f predicate.Field, op string) string {
	switch f.Kind {
	case "word", "level":
		return pick(m, f.Words...)
	case "number":
		if strings.HasSuffix(f.Name, "cvss") {
			return pick(m, "0", "5", "7.5", "8", "9.8")
		}
		return pick(m, "0", "0.1", "0.5", "0.75", "1")
	case "size":
		return pick(m, "0", "1", "500MB", "1GiB", "1234567")
	case "age":
		return pick(m, "0s", "1d", "5d", "7d12h", "90m")
	case "release":
		return pick(m, "12", "12.5", "13", "10.0", "24H2", "11.24H1")
	case "version":
		return pick(m, "1.0", "2.0", "1.2.3", "nonsense of nobody")
	}
	w := m.word()
	switch f.Name {
	case "device.id":
		w = pick(m, "d0", "d", "d1")
	case "device.label":
		w = pick(m, "site", "role", "rol")
	}
	if op == "glob" {
		w = pick(m, "*", "a*", "*b", "?", "linux-*-6", "*r*", `\*`, "acme*")
	}
	if f.Kind == "list" && (f.Name == "id" || f.Name == "supersedes" || f.Name == "requires") && op != "glob" {
		w = "s:" + w
	}
	return w
}

// comparison draws something about a field, with operator op.
func (m maker) comparison(f predicate.Field, op string) predicate.Node {
	n := predicate.Node{Field: strings.Replace(f.Name, "KEY", pick(m, "site", "role", `odd "key`), 1), Op: op}
	switch op {
	case "", "exists":
		return n
	case "in", "prefix", "glob", "has any of", "has all of", "has none of":
		for range 1 + m.IntN(6) {
			n.Values = append(n.Values, m.value(f, op))
		}
		return n
	}
	n.Values = []string{m.value(f, op)}
	return n
}

func (m maker) node(depth int, fields []predicate.Field) predicate.Node {
	if depth == 0 || m.IntN(4) == 0 {
		f := fields[m.IntN(len(fields))]
		return m.comparison(f, pick(m, f.Ops...))
	}
	switch m.IntN(8) {
	case 0:
		return predicate.Node{Const: pick(m, new(bool), ptr(true))}
	case 1, 2:
		return predicate.Node{Not: ptr(m.node(depth-1, fields))}
	case 3:
		if fields[0].Of != "advisory" {
			var advisory []predicate.Field
			for _, f := range fields {
				if f.Of == "advisory" {
					advisory = append(advisory, f)
				}
			}
			if len(advisory) > 0 {
				return predicate.Node{Advisory: ptr(m.node(depth-1, advisory))}
			}
		}
	}
	var args []predicate.Node
	for range 1 + m.IntN(4) {
		args = append(args, m.node(depth-1, fields))
	}
	if m.IntN(2) == 0 {
		return predicate.Node{All: args}
	}
	return predicate.Node{Any: args}
}

func (m maker) expr(t testing.TB) (predicate.Expr, predicate.Node) {
	n := m.node(4, predicate.Fields())
	e, err := n.Expr()
	require.NoError(t, err)
	return e, n
}

func ptr[T any](v T) *T { return &v }

// Every field with every operator, on things of which much is unknown: the compiled form says what the reference says.
func TestEveryFieldAndOperator(t *testing.T) {
	m := newMaker(1)
	// What is always known if there is a patch, a device or a finding.
	always := []string{"contested", "withdrawn", "device.id", "device.name", "device.tenant", "finding.superseded"}
	for _, f := range predicate.Fields() {
		for _, op := range f.Ops {
			t.Run(strings.TrimSpace(f.Name+" "+op), func(t *testing.T) {
				seen := map[patch.Tri]int{}
				for i := 0; i < 100 || i < 3000 && len(seen) < 3; i++ {
					n := m.comparison(f, op)
					e, err := n.Expr()
					require.NoError(t, err)
					facts := m.facts()
					got := predicate.Compile(e).Eval(facts)
					if want := reference(n, facts, nil); got != want {
						require.Equal(t, want, got, "%s\n%+v", e, facts)
					}
					seen[got]++
					again, err := predicate.Parse(e.String())
					require.NoError(t, err)
					require.True(t, again.Equal(e), e)
				}
				require.Positive(t, seen[patch.Yes], "it never held")
				if op == "exists" && slices.Contains(always, f.Name) {
					require.Zero(t, seen[patch.No])
				} else {
					require.Positive(t, seen[patch.No], "it always held")
				}
				require.Positive(t, seen[patch.Unknown], "nothing was unknown")
			})
		}
	}
}

func TestCompiledSaysWhatTheReferenceSays(t *testing.T) {
	m := newMaker(2)
	for range 1500 {
		e, n := m.expr(t)
		p := predicate.Compile(e)
		for range 5 {
			f := m.facts()
			want := reference(n, f, nil)
			if p.Eval(f) != want || p.Matches(f) != (want == patch.Yes) || p.MayMatch(f) != (want != patch.No) {
				require.Equal(t, want, p.Eval(f), "%s\n%+v", e, f)
				t.Fatal(e, want, p.Matches(f), p.MayMatch(f))
			}
		}
	}
}

func TestCanonicalFormsAreReadBack(t *testing.T) {
	m := newMaker(3)
	for range 1000 {
		e, _ := m.expr(t)
		again, err := predicate.Parse(e.String())
		require.NoError(t, err, e)
		require.True(t, again.Equal(e), "%s\n%s", e, again)
		again, err = e.Node().Expr()
		require.NoError(t, err, e)
		require.True(t, again.Equal(e), "%s\n%s", e, again)
	}
}

func TestLawsOfLogic(t *testing.T) {
	m := newMaker(4)
	not := func(n predicate.Node) predicate.Node { return predicate.Node{Not: &n} }
	and := func(n ...predicate.Node) predicate.Node { return predicate.Node{All: n} }
	or := func(n ...predicate.Node) predicate.Node { return predicate.Node{Any: n} }
	for _, law := range []struct {
		name        string
		left, right func(a, b, c predicate.Node) predicate.Node
	}{
		{"not not", func(a, _, _ predicate.Node) predicate.Node { return not(not(a)) }, func(a, _, _ predicate.Node) predicate.Node { return a }},
		{"De Morgan for and", func(a, b, _ predicate.Node) predicate.Node { return not(and(a, b)) }, func(a, b, _ predicate.Node) predicate.Node { return or(not(a), not(b)) }},
		{"De Morgan for or", func(a, b, _ predicate.Node) predicate.Node { return not(or(a, b)) }, func(a, b, _ predicate.Node) predicate.Node { return and(not(a), not(b)) }},
		{"order does not matter", func(a, b, _ predicate.Node) predicate.Node { return and(a, b) }, func(a, b, _ predicate.Node) predicate.Node { return and(b, a) }},
		{"and spreads over or", func(a, b, c predicate.Node) predicate.Node { return and(a, or(b, c)) }, func(a, b, c predicate.Node) predicate.Node { return or(and(a, b), and(a, c)) }},
		{"absorption", func(a, b, _ predicate.Node) predicate.Node { return or(a, and(a, b)) }, func(a, _, _ predicate.Node) predicate.Node { return a }},
	} {
		t.Run(law.name, func(t *testing.T) {
			for range 200 {
				a, b, c := m.node(2, predicate.Fields()), m.node(2, predicate.Fields()), m.node(2, predicate.Fields())
				left, err := law.left(a, b, c).Expr()
				require.NoError(t, err)
				right, err := law.right(a, b, c).Expr()
				require.NoError(t, err)
				f := m.facts()
				require.Equal(t, predicate.Compile(right).Eval(f), predicate.Compile(left).Eval(f), "%s\n%s", left, right)
			}
		})
	}
}

// What is decided without knowing a thing stays so whatever is learned of it.
func TestMoreKnowledgeNeverChangesAnAnswer(t *testing.T) {
	m := newMaker(5)
	for range 1500 {
		e, _ := m.expr(t)
		p, f := predicate.Compile(e), m.facts()
		full := p.Eval(f)
		for _, less := range []predicate.Facts{
			{nil, f.Device, f.Finding, f.Now}, {f.Patch, nil, f.Finding, f.Now}, {f.Patch, f.Device, nil, f.Now}, {f.Patch, f.Device, f.Finding, time.Time{}}, {},
		} {
			if got := p.Eval(less); got != patch.Unknown {
				require.Equal(t, full, got, "%s", e)
			}
		}
	}
}

// Needs tells the truth: what it does not name makes no difference.
func TestWhatIsNotNeededMakesNoDifference(t *testing.T) {
	m := newMaker(6)
	for range 1500 {
		e, _ := m.expr(t)
		p, f, o := predicate.Compile(e), m.facts(), m.facts()
		needs, want := e.Needs(), p.Eval(f)
		if !needs.Patch {
			f.Patch = o.Patch
		}
		if !needs.Device {
			f.Device = o.Device
		}
		if !needs.Finding {
			f.Finding = o.Finding
		}
		if !needs.Now {
			f.Now = o.Now
		}
		require.Equal(t, want, p.Eval(f), "%s", e)
	}
}
