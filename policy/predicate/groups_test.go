package predicate_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// withoutFinding is what a set can say of a device, without what it misses.
func withoutFinding(e predicate.Expr, x *patch.Patch, d *inventory.Device, now time.Time) patch.Tri {
	return predicate.Compile(e).Eval(predicate.Facts{Patch: x, Device: d, Now: now})
}

func TestGroupsSayWhatEachDeviceWouldSay(t *testing.T) {
	m := newMaker(7)
	var matches predicate.Matches // one for all, so that nothing of the last one stays
	for range 12 {
		exprs := []predicate.Expr{{}}
		for range 1 + m.IntN(6) {
			e, _ := m.expr(t)
			exprs = append(exprs, e)
		}
		set := predicate.NewSet(exprs...)
		require.Equal(t, len(exprs), set.Len())
		groups := predicate.NewGroups(set)
		fleet := map[inventory.Ref]*inventory.Device{}
		for range 400 {
			d := m.device(m.IntN(150))
			d.Tenant = "acme"
			ref := inventory.Ref{Tenant: d.Tenant, Device: d.ID}
			if m.IntN(4) == 0 {
				_, was := fleet[ref]
				require.Equal(t, was, groups.Remove(ref))
				delete(fleet, ref)
				_, is := groups.Of(ref)
				require.False(t, is)
				continue
			}
			fleet[ref] = d
			i := groups.Put(d, noon())
			of, ok := groups.Of(ref)
			require.True(t, ok)
			require.Equal(t, of, i)
		}
		require.Equal(t, len(fleet), groups.Devices())

		var members []inventory.Ref
		count := 0
		for i, n := range groups.All() {
			before := len(members)
			members = slices.AppendSeq(members, groups.Members(i))
			require.Equal(t, n, len(members)-before)
			count++
		}
		require.Equal(t, groups.Len(), count)
		require.ElementsMatch(t, slices.Collect(maps.Keys(fleet)), members)

		for range 3 {
			x := m.patch()
			groups.Match(&matches, x, noon())
			for i, e := range exprs {
				yes, unknown := 0, 0
				for ref, d := range fleet {
					want := withoutFinding(e, x, d, noon())
					group, _ := groups.Of(ref)
					require.Equal(t, want, matches.At(i, group), "%s", e)
					sig, _ := set.Signature(d, noon())
					require.Equal(t, want, set.Eval(i, sig, x, noon()), "%s", e)
					switch want {
					case patch.Yes:
						yes++
					case patch.Unknown:
						unknown++
					}
				}
				gotYes, gotUnknown := groups.Count(&matches, i)
				require.Equal(t, []int{yes, unknown}, []int{gotYes, gotUnknown}, "%s", e)
			}
		}
	}
}

func TestDevicesThatLookAlikeShareAGroup(t *testing.T) {
	set := predicate.NewSet(
		predicate.MustParse(`severity >= important and device.os = debian and label.site = oslo`),
		predicate.MustParse(`label.site = oslo and device.os = debian`),
		predicate.MustParse(`not label.site = oslo and exploited`),
	)
	groups := predicate.NewGroups(set)
	for i := range 1000 {
		groups.Put(&inventory.Device{
			ID: inventory.DeviceID(fmt.Sprint(i)), Name: fmt.Sprint("host ", i), Platform: patch.Platform{OS: []string{"debian", "windows"}[i%2]},
			Labels: map[string]string{"site": []string{"oslo", "bergen", "rome"}[i%3], "asset": fmt.Sprint(i)},
		}, noon())
	}
	require.Equal(t, 1000, groups.Devices())
	require.LessOrEqual(t, groups.Len(), 4, "by the two parts, whatever else differs")
}

// The signature of a device that an age is about is good until that age passes what it is compared with.
func TestSignaturesSayUntilWhenTheyAreGood(t *testing.T) {
	m := newMaker(8)
	var ages []predicate.Field
	for _, f := range predicate.Fields() {
		if f.Kind == "age" && f.Of == "device" {
			ages = append(ages, f)
		}
	}
	require.NotEmpty(t, ages)
	changed := 0
	for range 500 {
		var exprs []predicate.Expr
		for range 3 {
			e, err := m.node(2, ages).Expr()
			require.NoError(t, err)
			exprs = append(exprs, e)
		}
		set := predicate.NewSet(exprs...)
		d := m.device(0)
		sig, until := set.Signature(d, noon())
		last := until
		if until.IsZero() {
			last = noon().Add(10000 * time.Hour)
		}
		require.True(t, last.After(noon()))
		for _, at := range []time.Time{noon().Add(last.Sub(noon()) / 2), last.Add(-1)} {
			again, _ := set.Signature(d, at)
			require.Equal(t, sig, again, "%v at %s, good until %s", exprs, at, until)
		}
		if again, _ := set.Signature(d, last); again != sig {
			changed++
		}
	}
	require.Greater(t, changed, 100, "the time that is told is not too early for most")
}

func TestStaleDevicesAreThoseWhoseTimeIsOver(t *testing.T) {
	set := predicate.NewSet(predicate.MustParse(`device.age.seen > 7d and severity = critical`))
	groups := predicate.NewGroups(set)
	var refs []inventory.Ref
	for i := range 10 {
		d := &inventory.Device{ID: inventory.DeviceID(fmt.Sprint(i)), LastSeen: noon().Add(-time.Duration(i) * 24 * time.Hour)}
		groups.Put(d, noon())
		refs = append(refs, inventory.Ref{Device: d.ID})
	}
	require.Empty(t, groups.Stale(noon()))
	require.Equal(t, []inventory.Ref{refs[7]}, groups.Stale(noon().Add(1)), "more than seven days, by a nanosecond")
	require.ElementsMatch(t, refs[5:8], groups.Stale(noon().Add(2*24*time.Hour)), "the last two are older than that already")

	never := predicate.NewGroups(predicate.NewSet(predicate.MustParse(`exists device.age.seen`)))
	never.Put(&inventory.Device{LastSeen: noon()}, noon())
	require.Empty(t, never.Stale(noon().Add(1000*time.Hour)))
}

func TestWhatIsNotThereIsUnknown(t *testing.T) {
	set := predicate.NewSet(predicate.MustParse(`device.os = debian`))
	sig, _ := set.Signature(&inventory.Device{Platform: patch.Platform{OS: "debian"}}, noon())
	require.Equal(t, patch.Yes, set.Eval(0, sig, nil, noon()))
	require.Equal(t, patch.Unknown, set.Eval(1, sig, nil, noon()))
	require.Equal(t, patch.Unknown, set.Eval(-1, sig, nil, noon()))
	require.Equal(t, patch.Unknown, set.Eval(0, "", nil, noon()))

	var m predicate.Matches
	require.Equal(t, patch.Unknown, m.At(0, 0))
	groups := predicate.NewGroups(set)
	groups.Put(&inventory.Device{}, noon())
	yes, unknown := groups.Count(&m, 0)
	require.Equal(t, []int{0, 1}, []int{yes, unknown})
	groups.Match(&m, nil, noon())
	require.Equal(t, patch.Unknown, m.At(0, 1000))
	require.Equal(t, patch.Unknown, m.At(0, -1))
	require.Empty(t, slices.Collect(groups.Members(5)))
	require.Empty(t, slices.Collect(groups.Members(-1)))
	require.False(t, groups.Remove(inventory.Ref{Device: "other"}))
}

func TestNothingIsAllocated(t *testing.T) {
	m := newMaker(9)
	check := func(name string, e predicate.Expr) {
		p := predicate.Compile(e)
		set := predicate.NewSet(e)
		for range 20 {
			f := m.facts()
			if f.Device == nil {
				continue
			}
			sig, _ := set.Signature(f.Device, f.Now)
			require.Zero(t, testing.AllocsPerRun(3, func() { p.Eval(f) }), "%s: %s", name, e)
			require.Zero(t, testing.AllocsPerRun(3, func() { set.Eval(0, sig, f.Patch, f.Now) }), "%s: %s", name, e)
		}
	}
	for _, f := range predicate.Fields() {
		if f.Kind == "version" {
			continue // versions of another scheme, and texts that are none, make errors
		}
		for _, op := range f.Ops {
			e, err := m.comparison(f, op).Expr()
			require.NoError(t, err)
			check(f.Name, e)
		}
	}
	for range 100 {
		e, err := m.node(4, slices.DeleteFunc(predicate.Fields(), func(f predicate.Field) bool { return f.Kind == "version" })).Expr()
		require.NoError(t, err)
		check("random", e)
	}
	t.Run("not by groups either", func(t *testing.T) {
		groups := predicate.NewGroups(predicate.NewSet(predicate.MustParse(`severity = critical and device.os in (a, b) or label.site = oslo`)))
		var devices []*inventory.Device
		for i := range 500 {
			devices = append(devices, m.device(i))
			groups.Put(devices[i], noon())
		}
		var matches predicate.Matches
		groups.Match(&matches, m.patch(), noon())
		x := m.patch()
		require.Zero(t, testing.AllocsPerRun(10, func() { groups.Match(&matches, x, noon()) }))
		require.Zero(t, testing.AllocsPerRun(10, func() { groups.Count(&matches, 0) }))
		require.Zero(t, testing.AllocsPerRun(10, func() { groups.Put(devices[7], noon()) }))
	})
}
