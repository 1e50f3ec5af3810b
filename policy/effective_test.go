package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func everything(name string, v Verdict) Rule {
	r := Rule{Name: name, Match: Match{All: true}, Verdict: v}
	if v == Defer {
		r.For = Duration(72 * time.Hour)
	}
	return r
}

// Every field of a policy is a setting of layers, and says whether there is an order of tighter and looser: those without
// are listed here, so that a field that is new is thought about.
func TestEveryFieldHasAnEntryInTheTableOfSettings(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range settings() {
		require.False(t, known[s.path], s.path)
		known[s.path] = true
		require.True(t, (&Layer{}).field(s.path).IsValid(), s.path)
	}
	whole := []reflect.Type{reflect.TypeFor[Need](), reflect.TypeFor[Feedback](), reflect.TypeFor[Probes](), reflect.TypeFor[Deferrals](), reflect.TypeFor[Rate](), reflect.TypeFor[Breaker]()}
	n := 1 // combine
	var visit func(typ reflect.Type, path string)
	visit = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			at := strings.TrimPrefix(path+"."+name, ".")
			if f.Type.Kind() == reflect.Struct && !slices.Contains(whole, f.Type) {
				visit(f.Type, at)
				continue
			}
			n++
			require.True(t, known[at], "%s is in no layer: give it an entry in settings, and say what tighter means", at)
			require.Equal(t, f.Type.Kind() == reflect.Slice && at != "rings" && at != "strata" && at != "health.metrics" && at != "escalation" && at != "covers" && !strings.HasSuffix(at, "windows") && at != "reboot.quiet" && at != "retry.remedies", func() bool { s, _ := settingOf(at); return s.adds }(), at)
		}
	}
	visit(reflect.TypeFor[Policy](), "")
	require.Len(t, known, n)
}

func TestWhatTighterMeans(t *testing.T) {
	const hour = Duration(time.Hour)
	rows := map[string][2]Layer{ // looser, tighter
		"joiners":               {{Policy: Policy{Joiners: JoinersAdmitted}}, {}},
		"fit.work":              {{}, {Policy: Policy{Fit: Fit{Work: hour}}}},
		"fit.reboot":            {{}, {Policy: Policy{Fit: Fit{Reboot: hour}}}},
		"guests":                {{Policy: Policy{Guests: GuestsAwaitedInGrace}}, {}},
		"startJitter":           {{}, {Policy: Policy{StartJitter: hour}}},
		"maxActive":             {{}, {Policy: Policy{MaxActive: 1000}}},
		"rate":                  {{}, {Policy: Policy{Rate: Rate{Count: 1000, Every: 1}}}},
		"retry.attempts":        {{}, {Policy: Policy{Retry: Retry{Attempts: 2}}}},
		"retry.busyLimit":       {{}, {Policy: Policy{Retry: Retry{BusyLimit: 11}}}},
		"retry.grace":           {{}, {Policy: Policy{Retry: Retry{Grace: 25 * hour}}}},
		"backup.need":           {{Policy: Policy{Backup: Backup{Need: BackupBestEffort}}}, {Policy: Policy{Backup: Backup{Need: BackupRequired}}}},
		"reboot.mode":           {{Policy: Policy{Reboot: Reboot{Mode: RebootAlways}}}, {Policy: Policy{Reboot: Reboot{Mode: RebootIfRequired}}}},
		"reboot.before":         {{Policy: Policy{Reboot: Reboot{Before: BeforeIfPending}}}, {}},
		"rollback.irreversible": {{Policy: Policy{Rollback: Rollback{Irreversible: true}}}, {}},
		"rollback.acknowledged": {{Policy: Policy{Rollback: Rollback{Acknowledged: true}}}, {}},
		"combine":               {{Combine: NearestWins}, {}},
	}
	for _, s := range settings() {
		row, ok := rows[s.path]
		require.Equal(t, s.order != nil, ok, s.path)
		if ok {
			require.Less(t, s.order(&row[0]), s.order(&row[1]), s.path)
		}
	}
}

func TestTheNearestLayerThatSetsAFieldWins(t *testing.T) {
	devices := inventory.MustSelector("role=till")
	d := &inventory.Device{Tenant: "acme/berlin", ID: "t1", Labels: map[string]string{"role": "till"}}
	vendor := Layer{Name: "vendor", Policy: Policy{MaxActive: 500, Retry: Retry{Attempts: 5}}}
	acme := Layer{Name: "acme", Tenant: "acme", Policy: Policy{MaxActive: 100}}
	berlin := Layer{Name: "berlin", Tenant: "acme/berlin", Zero: []string{"maxActive"}}
	tills := Layer{Name: "tills", Tenant: "acme", Level: LevelGroup, Devices: devices, Policy: Policy{MaxActive: 3}}
	one := Layer{Name: "t1", Tenant: "acme/berlin", Level: LevelDevice, Devices: inventory.MustSelector("device.id=t1"), Policy: Policy{MaxActive: 1}}
	for _, row := range []struct {
		name   string
		layers []Layer
		want   int
		from   string
	}{
		{"nobody", nil, 0, ""},
		{"the vendor", []Layer{vendor}, 500, "vendor"},
		{"the customer", []Layer{vendor, acme}, 100, "acme"},
		{"no limit is a value", []Layer{vendor, acme, berlin}, 0, "berlin"},
		{"a group is below all tenants", []Layer{tills, vendor, acme, berlin}, 3, "tills"},
		{"a device is below groups", []Layer{one, tills, vendor}, 1, "t1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, err := Resolve(row.layers, d)
			require.NoError(t, err)
			require.Equal(t, row.want, e.Policy.MaxActive)
			require.NoError(t, e.Policy.Validate())
			i := slices.IndexFunc(e.Origins, func(o Origin) bool { return o.Field == "maxActive" })
			require.Equal(t, row.from, e.Origins[i].Layer)
		})
	}
	e, err := Resolve([]Layer{vendor, acme}, d)
	require.NoError(t, err)
	require.Equal(t, 5, e.Policy.Retry.Attempts, "field by field")
}

func TestWithoutLayersNothingIsInstalled(t *testing.T) {
	e, err := Resolve(nil, &inventory.Device{Tenant: "acme", ID: "a"})
	require.NoError(t, err)
	require.Empty(t, e.Policy.Rules)
	require.Empty(t, e.Policy.Rings)
	require.NoError(t, e.Policy.Validate())
	x := &patch.Patch{ID: "x", Classification: patch.ClassSecurity}
	require.Equal(t, NoDecision, e.Policy.Decide(x, &inventory.Device{ID: "a"}, time.Now()).Verdict)
	require.Equal(t, `policy "nothing", from no layer: nothing is installed`, e.String())
}

func TestLocks(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	block := everything("block", Reject)
	for _, row := range []struct {
		name    string
		field   string
		mode    LockMode
		above   Layer
		below   Layer
		want    any
		refused string
	}{
		{"fixed", "maxActive", LockFixed, Layer{Policy: Policy{MaxActive: 10}}, Layer{Policy: Policy{MaxActive: 5}}, 10,
			"maxActive: acme wants 5: vendor has locked 10"},
		{"fixed, and the same", "maxActive", LockFixed, Layer{Policy: Policy{MaxActive: 10}}, Layer{Policy: Policy{MaxActive: 10}}, 10, ""},
		{"tighter", "maxActive", LockTighten, Layer{Policy: Policy{MaxActive: 10}}, Layer{Policy: Policy{MaxActive: 5}}, 5, ""},
		{"looser", "maxActive", LockTighten, Layer{Policy: Policy{MaxActive: 10}}, Layer{Policy: Policy{MaxActive: 11}}, 10,
			"maxActive: acme wants 11: vendor lets layers below it only tighten 10"},
		{"no limit is looser", "maxActive", LockTighten, Layer{Policy: Policy{MaxActive: 10}}, Layer{Zero: []string{"maxActive"}}, 10,
			"maxActive: acme wants 0: vendor lets layers below it only tighten 10"},
		{"the default is locked too", "retry.attempts", LockTighten, Layer{}, Layer{Policy: Policy{Retry: Retry{Attempts: 4}}}, 0,
			"retry.attempts: acme wants 4: vendor lets layers below it only tighten 0"},
		{"all of retry", "retry", LockFixed, Layer{}, Layer{Policy: Policy{Retry: Retry{Backoff: 60e9}}}, Duration(0),
			"retry.backoff: acme wants 1m: vendor has locked 0s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.above.Name, row.above.Locks = "vendor", []Lock{{row.field, row.mode}}
			row.below.Name, row.below.Tenant = "acme", "acme"
			e, err := Resolve([]Layer{row.below, row.above}, d)
			require.NoError(t, err)
			path := row.field
			if path == "retry" {
				path = "retry.backoff"
			}
			require.Equal(t, row.want, fieldOf(&e.Policy, path).Interface())
			if row.refused == "" {
				require.Empty(t, e.Refused)
				return
			}
			require.Len(t, e.Refused, 1)
			require.Equal(t, row.refused, e.Refused[0].String())
		})
	}
	below := Layer{Name: "acme", Tenant: "acme", Policy: Policy{Rules: []Rule{block, everything("wait", Defer), everything("go", Approve)}}}
	for mode, want := range map[LockMode][]string{LockFixed: {"block"}, LockTighten: {"block", "wait"}} {
		e, err := Resolve([]Layer{{Name: "vendor", Locks: []Lock{{"rules", mode}}}, below}, d)
		require.NoError(t, err)
		var names []string
		for _, r := range e.Policy.Rules {
			names = append(names, r.Name)
		}
		require.Equal(t, want, names)
		require.Len(t, e.Refused, 3-len(want))
		require.Contains(t, e.String(), `refused rules: acme adds approve "go": vendor lets layers below it add`)
	}
}

func TestGroupsThatDisagree(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	group := func(name string, priority int, p Policy) Layer {
		return Layer{Name: name, Tenant: "acme", Level: LevelGroup, Devices: inventory.All(), Priority: priority, Policy: p}
	}
	always, never := Policy{Rollback: Rollback{On: FailRollsBackAll}}, Policy{Rollback: Rollback{On: FailRollsBackRing}}
	e, err := Resolve([]Layer{group("a", 1, Policy{MaxActive: 5}), group("b", 0, Policy{MaxActive: 3})}, d)
	require.NoError(t, err)
	require.Equal(t, 5, e.Policy.MaxActive, "the priority")
	e, err = Resolve([]Layer{group("a", 0, Policy{MaxActive: 5}), group("b", 0, Policy{MaxActive: 3})}, d)
	require.NoError(t, err)
	require.Equal(t, 3, e.Policy.MaxActive, "the tighter")
	_, err = Resolve([]Layer{group("a", 0, always), group("b", 0, never)}, d)
	require.EqualError(t, err, "policy: layers b (group * of acme) and a (group * of acme) disagree about rollback.on, ring or rollout: give one of them a priority")
	e, err = Resolve([]Layer{group("a", 0, always), group("b", 0, never), group("c", 1, never)}, d)
	require.NoError(t, err)
	require.Equal(t, FailRollsBackRing, e.Policy.Rollback.On)
	e, err = Resolve([]Layer{group("a", 0, always), group("b", 0, never), {Name: "d", Level: LevelDevice, Devices: inventory.All(), Policy: always}}, d)
	require.NoError(t, err)
	require.Equal(t, FailRollsBackAll, e.Policy.Rollback.On, "a nearer layer settles it")
	_, err = Resolve([]Layer{group("a", 0, always), group("a", 0, always)}, d)
	require.ErrorContains(t, err, "have one name")
}

func TestCombine(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	ask := everything("ask", RequireApproval)
	two := everything("two", RequireApproval)
	two.Quorum = 2
	vendor := Layer{Name: "vendor", Priority: 7, Policy: Policy{Rules: []Rule{ask, two, everything("wait", Defer), everything("go", Approve)}}}
	acme := Layer{Name: "acme", Tenant: "acme", Policy: Policy{Rules: []Rule{everything("ours", Approve), everything("late", Defer), everything("not", Hold)}}}
	for combine, want := range map[Combine]string{
		MostRestrictive: "not late wait two ask ours go",
		DenyOverrides:   "not late wait ours ask two go",
		ByPriority:      "ask two wait go ours late not",
		NearestWins:     "ours late not ask two wait go",
	} {
		acme.Combine, acme.Zero = combine, nil
		if combine == MostRestrictive {
			acme.Zero = []string{"combine"}
		}
		vendor.Combine = NearestWins
		e, err := Resolve([]Layer{vendor, acme}, d)
		require.NoError(t, err)
		var names []string
		for _, r := range e.Policy.Rules {
			names = append(names, r.Name)
		}
		require.Equal(t, want, strings.Join(names, " "), combine)
		require.Equal(t, Hold, e.Policy.Decide(&patch.Patch{ID: "x", Classification: patch.ClassSecurity}, d, time.Now()).Verdict)
	}
}

func TestNamesThatSeveralLayersGive(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	e, err := Resolve([]Layer{
		{Name: "v", Policy: Policy{Rules: []Rule{everything("x", Hold), everything("y", Hold), everything("a/x", Hold)}}},
		{Name: "a", Tenant: "acme", Policy: Policy{Rules: []Rule{everything("x", Hold)}}},
	}, d)
	require.NoError(t, err)
	var names []string
	for _, r := range e.Policy.Rules {
		names = append(names, r.Name)
	}
	require.Equal(t, []string{"a/x", "v/x", "v/y", "v/a/x"}, names)
}

func TestLayersThatDoNotFitTogether(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	_, err := Resolve([]Layer{
		{Name: "v", Policy: Policy{Retry: Retry{MaxBackoff: 60e9, Backoff: 1e9}}},
		{Name: "a", Tenant: "acme", Policy: Policy{Retry: Retry{Backoff: 3600e9}}},
	}, d)
	require.EqualError(t, err, "policy: layers v, a together: policy: retry.backoff: 1h is longer than maxBackoff, 1m")
	e, err := Resolve([]Layer{
		{Name: "v", Policy: Policy{Reboot: Reboot{Mode: RebootAlways}, Fit: Fit{Reboot: 60e9}}},
		{Name: "a", Tenant: "acme", Zero: []string{"reboot.mode"}},
	}, d)
	require.NoError(t, err)
	require.Zero(t, e.Policy.Fit.Reboot)
}

// randomLayers returns layers that hold whatever is valid, with locks, for three tenants.
func randomLayers(r *rand.Rand) []Layer {
	var all []Layer
	for i, tenant := range []inventory.Tenant{"", "acme", "acme/berlin", "contoso", "contoso/kiel"} {
		for j := range 1 + r.IntN(2) {
			l := Layer{Name: fmt.Sprintf("l%d-%d", i, j), Tenant: tenant, Priority: j}
			if r.IntN(3) == 0 {
				l.Level, l.Devices = LevelGroup, inventory.All()
			}
			if r.IntN(2) == 0 {
				l.Policy.MaxActive = 1 + r.IntN(100)
			} else if r.IntN(4) == 0 {
				l.Zero = append(l.Zero, "maxActive")
			}
			l.Policy.Retry.Attempts = r.IntN(6)
			l.Policy.Rollback.Irreversible = r.IntN(3) == 0
			l.Policy.Reboot.Mode = RebootMode(r.IntN(3))
			l.Combine = Combine(r.IntN(4))
			for k := range r.IntN(4) {
				l.Policy.Rules = append(l.Policy.Rules, everything(fmt.Sprint("r", k), Verdict(1+r.IntN(5))))
			}
			for _, f := range []string{"maxActive", "retry.attempts", "rollback.irreversible", "reboot.mode", "combine", "rules"} {
				if r.IntN(8) == 0 {
					l.Locks = append(l.Locks, Lock{f, LockMode(r.IntN(2))})
				}
			}
			all = append(all, l)
		}
	}
	return all
}

func TestPropertiesOfRandomLayers(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		layers := randomLayers(r)
		d := &inventory.Device{Tenant: "acme/berlin", ID: "a"}
		e, err := Resolve(layers, d)
		require.NoError(t, err)
		require.NoError(t, e.Policy.Validate())
		want, err := json.Marshal(e)
		require.NoError(t, err)
		same := func(what string, layers []Layer, d *inventory.Device) {
			o, err := Resolve(layers, d)
			require.NoError(t, err)
			o.Layers = slices.DeleteFunc(o.Layers, func(s string) bool { return s == "empty" })
			o.Policy.Name = e.Policy.Name // which the nearest layer gives
			for i := range o.Origins {
				if o.Origins[i].Field == "name" {
					o.Origins[i] = e.Origins[0]
				}
			}
			got, err := json.Marshal(o)
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(got), what)
		}
		other := slices.Clone(layers)
		r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		same("order", other, d)
		for _, tenant := range []inventory.Tenant{"", "acme", "acme/berlin"} {
			same("a layer that sets nothing", append(slices.Clone(layers), Layer{Name: "empty", Tenant: tenant, Priority: r.IntN(3)}), d)
		}

		// What other tenants say makes no difference, even by the names and devices of this one.
		foreign := slices.DeleteFunc(slices.Clone(layers), func(l Layer) bool { return !l.Tenant.Contains(d.Tenant) })
		same("without the others", foreign, d)
		foreign = append(foreign, Layer{Name: "l0-0", Tenant: "contoso", Policy: Policy{MaxActive: -1}},
			Layer{Name: "l1-0", Tenant: "acme-2", Level: LevelDevice, Devices: inventory.MustSelector("device.id=a"), Policy: Policy{MaxActive: 1},
				Locks: []Lock{{Field: "rules"}}})
		same("with hostile ones", foreign, d)
		resolver := NewResolver(foreign)
		first, err := resolver.Resolve(d)
		require.NoError(t, err)
		require.Equal(t, e, first)
		again, err := resolver.Resolve(&inventory.Device{Tenant: "acme/berlin", ID: "b"})
		require.NoError(t, err)
		require.Same(t, first, again)
		_, err = resolver.Resolve(&inventory.Device{Tenant: "contoso", ID: "a"})
		require.Error(t, err, "a negative limit is that tenant's fault, and its alone")

		// Nothing is looser than what a lock says, and every block counts.
		blocks := 0
		for i := range layers {
			l := &layers[i]
			if !l.Applies(d) {
				continue
			}
			for _, rule := range l.Policy.Rules {
				if rule.Verdict == Reject || rule.Verdict == Hold {
					blocks++
				}
			}
			var above []Layer
			for j := range layers {
				if layers[j].Applies(d) && layers[j].above(l) <= 0 {
					above = append(above, layers[j])
				}
			}
			at, err := Resolve(above, d)
			require.NoError(t, err)
			for _, k := range l.Locks {
				s, _ := settingOf(k.Field)
				if s.order != nil {
					end, locked := &Layer{Policy: e.Policy, Combine: e.Combine}, &Layer{Policy: at.Policy, Combine: at.Combine}
					require.GreaterOrEqual(t, s.order(end), s.order(locked), "seed %d: %s", seed, k.Field)
				}
			}
		}
		for _, rule := range e.Policy.Rules {
			if rule.Verdict == Reject || rule.Verdict == Hold {
				blocks--
			}
		}
		require.Zero(t, blocks)
	}
}

// Windows for restarts may stand in one layer, and whether there are restarts in another; so may the age of a backup, and the need of one.
func TestWhatALayerSetsMayNeedWhatAnotherSets(t *testing.T) {
	d := &inventory.Device{Tenant: "acme", ID: "a"}
	vendor := Layer{Name: "v", Policy: Policy{Reboot: Reboot{Mode: RebootIfRequired}, Backup: Backup{Need: BackupRequired}}}
	acme := Layer{Name: "a", Tenant: "acme", Policy: Policy{
		Reboot: Reboot{Windows: []Window{{Start: 60, End: 120}}, Deferrals: Deferrals{Max: 2}, Before: BeforeIfPending,
			Quiet: []Window{{Start: 0, End: 30}}}, Backup: Backup{MaxAge: Duration(time.Hour)}}}
	require.NoError(t, acme.Validate())
	e, err := Resolve([]Layer{vendor, acme}, d)
	require.NoError(t, err)
	require.Equal(t, acme.Policy.Reboot.Windows, e.Policy.Reboot.Windows)
	require.Equal(t, acme.Policy.Reboot.Deferrals, e.Policy.Reboot.Deferrals)
	require.Equal(t, acme.Policy.Backup.MaxAge, e.Policy.Backup.MaxAge)
	acme.Policy.Reboot.Deferrals.Max = 256
	require.EqualError(t, acme.Validate(), "policy: policy.reboot.deferrals.max: 256 is not from 0 to 255", "what is wrong by itself is told by the layer")
	acme.Policy.Reboot.Deferrals.Max = 2
	_, err = Resolve([]Layer{{Name: "v"}, acme}, d)
	require.EqualError(t, err, "policy: layers v, a together: policy: reboot.windows: there are windows, but reboot.mode is never\n"+
		"policy: reboot.deferrals: people may defer, but reboot.mode is never\n"+
		"policy: reboot.quiet: there are quiet times, but reboot.mode is never\n"+
		"policy: reboot.before: devices are to be restarted before, but reboot.mode is never\n"+
		"policy: backup.maxAge: there is an age, but backup.need is none")
}
