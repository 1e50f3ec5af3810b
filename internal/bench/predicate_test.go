package bench

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// One rule, as each language says it.
const (
	ourRule = `severity >= important and classification in (critical, security, definition) and age >= 7d and exploited and device.os = windows and label.group prefix "emea/"`
	celRule = `patch.Severity >= 3 && patch.Classification in ["critical", "security", "definition"] && patch.AgeDays >= 7 && "kev" in patch.Tags && device.OS == "windows" && device.Group.startsWith("emea/")`
)

// CELPatch and CELDevice are what the rule asks for, as flat as CEL could wish.
type CELPatch struct {
	Severity       int
	Classification string
	AgeDays        int
	Tags           []string
}

// CELDevice is the other one.
type CELDevice struct{ OS, Group string }

func celProgram(tb testing.TB) cel.Program {
	env, err := cel.NewEnv(ext.NativeTypes(reflect.TypeFor[CELPatch](), reflect.TypeFor[CELDevice]()),
		cel.Variable("patch", cel.ObjectType("bench.CELPatch")), cel.Variable("device", cel.ObjectType("bench.CELDevice")))
	require.NoError(tb, err)
	ast, issues := env.Compile(celRule)
	require.NoError(tb, issues.Err())
	p, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	require.NoError(tb, err)
	return p
}

func celPatch(x *patch.Patch, now time.Time) *CELPatch {
	p := &CELPatch{Severity: int(x.Severity), Classification: x.Classification.String(), AgeDays: int(now.Sub(x.Released) / (24 * time.Hour))}
	if x.Exploited() == patch.Yes {
		p.Tags = []string{"cumulative", "kev"}
	}
	return p
}

func celDevice(d *inventory.Device) *CELDevice {
	return &CELDevice{OS: d.Platform.OS, Group: d.Labels["group"]}
}

func decidingNow() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }

// rulePatches returns n patches: the first one is what the rule is about, of the others some are.
func rulePatches(n int) (all []patch.Patch) {
	for i := range n {
		x := patch.Patch{
			ID: patch.ID(fmt.Sprint("vendor:", i)), Severity: patch.Severity(4 - i%4), Classification: patch.Classification(1 + i%5),
			Released: decidingNow().AddDate(0, 0, -10+i%7), Advisories: []patch.Advisory{{ID: "A", Exploited: patch.TriOf(i%3 == 0)}},
		}
		all = append(all, x)
	}
	return all
}

// ruleDevice returns one of a fleet with 3,000 pairs of operating system and group, of which a third are of the rule's.
func ruleDevice(i int) inventory.Device {
	return inventory.Device{
		Tenant: "acme", ID: inventory.DeviceID(fmt.Sprintf("device-%07d", i)), Platform: patch.Platform{OS: []string{"windows", "debian", "macos"}[i%3]},
		Labels: map[string]string{"group": fmt.Sprintf("%s/%d", []string{"emea", "apac"}[i/3%2], i/6%500)},
	}
}

func TestPredicateAndCELAgree(t *testing.T) {
	p, program := predicate.Compile(predicate.MustParse(ourRule)), celProgram(t)
	held := 0
	for _, x := range rulePatches(50) {
		for i := range 30 {
			d := ruleDevice(i)
			out, _, err := program.Eval(map[string]any{"patch": celPatch(&x, decidingNow()), "device": celDevice(&d)})
			require.NoError(t, err)
			got := p.Matches(predicate.Facts{Patch: &x, Device: &d, Now: decidingNow()})
			require.Equal(t, out.Value(), got)
			if got {
				held++
			}
		}
	}
	require.Positive(t, held)
}

// deciding measures one decision in which nothing decides early, against CEL with native types; what CEL gets is made beforehand.
func deciding(tb testing.TB) *contest {
	const n = 100_000
	x, d := rulePatches(1)[0], ruleDevice(0)
	e := predicate.MustParse(ourRule)
	p, set, program := predicate.Compile(e), predicate.NewSet(e), celProgram(tb)
	sig, _ := set.Signature(&d, decidingNow())
	input := map[string]any{"patch": celPatch(&x, decidingNow()), "device": celDevice(&d)}
	facts := predicate.Facts{Patch: &x, Device: &d, Now: decidingNow()}
	require.True(tb, p.Matches(facts))
	require.Zero(tb, testing.AllocsPerRun(100, func() { p.Eval(facts) }))

	held := 0
	c := &contest{name: "One decision"}
	c.sides = []side{
		{name: "CEL, native types", per: n, run: func() {
			for range n {
				if out, _, err := program.Eval(input); err == nil && out.Value() == true {
					held++
				}
			}
		}},
		{name: "Predicate.Eval", per: n, run: func() {
			for range n {
				if p.Eval(facts) == patch.Yes {
					held++
				}
			}
		}},
		{name: "Set.Eval", per: n, run: func() {
			for range n {
				if set.Eval(0, sig, &x, facts.Now) == patch.Yes {
					held++
				}
			}
		}},
	}
	c.goals = []goal{{"Predicate.Eval", "CEL, native types", 0.1}, {"Set.Eval", "CEL, native types", 0.1}}
	return c
}

// decidingFleet measures 50 patches for each of a million devices, once these are in their groups: the number of devices for
// which the rule holds. CEL is asked for every pair of a sample.
func decidingFleet(tb testing.TB) *contest {
	const sample = 1000
	groups := predicate.NewGroups(predicate.NewSet(predicate.MustParse(ourRule), predicate.MustParse(`severity = critical and label.group in ("emea/1", "emea/2")`)))
	byGroup := predicate.NewGroups(predicate.NewSet(everyGroup(tb)...)) // so many parts that every pair is a group of its own
	for i := range million {
		d := ruleDevice(i)
		groups.Put(&d, decidingNow())
		byGroup.Put(&d, decidingNow())
	}
	patches := rulePatches(50)
	program := celProgram(tb)
	var devices []*CELDevice
	var xs []*CELPatch
	for i := range sample {
		d := ruleDevice(i)
		devices = append(devices, celDevice(&d))
	}
	for i := range patches {
		xs = append(xs, celPatch(&patches[i], decidingNow()))
	}
	held := 0
	count := func(g *predicate.Groups) func() {
		var m predicate.Matches
		return func() {
			for i := range patches {
				g.Match(&m, &patches[i], decidingNow())
				yes, _ := g.Count(&m, 0)
				held += yes
			}
		}
	}
	c := &contest{name: "1,000,000 devices, 50 patches"}
	few, many := fmt.Sprintf("%d groups", groups.Len()), fmt.Sprintf("%d groups", byGroup.Len())
	c.sides = []side{
		{name: "CEL, native types", per: sample * len(patches), run: func() {
			input := map[string]any{}
			for _, x := range xs {
				input["patch"] = x
				for _, d := range devices {
					input["device"] = d
					if out, _, err := program.Eval(input); err == nil && out.Value() == true {
						held++
					}
				}
			}
		}},
		{name: few, per: million * len(patches), run: count(groups)},
		{name: many, per: million * len(patches), run: count(byGroup)},
	}
	c.goals = []goal{{few, "CEL, native types", 0.001}, {many, "CEL, native types", 0.001}}
	return c
}

// everyGroup returns the rule, and one expression for each operating system and group.
func everyGroup(tb testing.TB) []predicate.Expr {
	all := []predicate.Expr{predicate.MustParse(ourRule)}
	for _, os := range []string{"windows", "debian", "macos"} {
		all = append(all, predicate.MustParse("device.os = "+os))
	}
	for bit := range 9 {
		text := "label.group in ("
		for i := range 500 {
			if i>>bit&1 == 1 {
				text += fmt.Sprintf("emea/%d, apac/%d, ", i, i)
			}
		}
		e, err := predicate.Parse(text + "none)")
		require.NoError(tb, err)
		all = append(all, e)
	}
	return all
}

func BenchmarkPredicate(b *testing.B)      { bench(b, deciding) }
func BenchmarkPredicateFleet(b *testing.B) { bench(b, decidingFleet) }
