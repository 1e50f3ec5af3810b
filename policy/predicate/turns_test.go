package predicate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestTurnsAreWhenAnAnswerMayChange(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	f := Facts{
		Patch:  &patch.Patch{Released: begin, Advisories: []patch.Advisory{{Published: begin.Add(day)}, {}}},
		Device: &inventory.Device{LastSeen: begin.Add(2 * day)}, Now: begin,
	}
	after := func(days ...int) (all []time.Time) {
		for _, n := range days {
			at := begin.Add(time.Duration(n) * day)
			all = append(all, at, at.Add(1))
		}
		return all
	}
	for text, want := range map[string][]time.Time{
		"": nil, "exploited": nil, "exists age": nil, "age.modified > 1d": nil,
		"age >= 7d": after(7), "not age > 3d or age < 3d": after(3), "age >= 7d and advisory.age > 1d": after(2, 7),
		"any advisory (advisory.age > 4d)": after(5), "device.age.seen > 30d": after(32),
	} {
		require.Equal(t, want, MustParse(text).Turns(f), text)
	}
	require.Empty(t, MustParse("age > 1d and device.age.seen > 1d").Turns(Facts{}))

	// Between two turns nothing changes, and at each of these something does.
	for _, text := range []string{"age >= 7d", "age > 7d", "age < 7d", "age <= 7d"} {
		p := Compile(MustParse(text))
		at := func(now time.Time) patch.Tri { g := f; g.Now = now; return p.Eval(g) }
		turns := p.Expr().Turns(f)
		require.NotEqual(t, at(turns[0].Add(-1)), at(turns[1]), text)
		require.Equal(t, at(begin), at(turns[0].Add(-1)), text)
		require.Equal(t, at(turns[1]), at(turns[1].Add(1000*day)), text)
	}
}
