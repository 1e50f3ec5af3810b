package policy

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestStricterKeepsTheStricterOfEveryField(t *testing.T) {
	const hour = Duration(time.Hour)
	for _, row := range []struct {
		name       string
		a, b, want Gate
	}{
		{"nothing", Gate{}, Gate{}, Gate{}},
		{"the larger denominator", Gate{Denominator: Settled}, Gate{Denominator: Reached}, Gate{Denominator: Reached}},
		{"assigned before all", Gate{Denominator: Settled}, Gate{}, Gate{}},
		{"fewer failures", Gate{MaxFailed: 500}, Gate{MaxFailed: 200}, Gate{MaxFailed: 200}},
		{"no failures at all", Gate{MaxFailed: 500}, Gate{}, Gate{}},
		{"more successes", Gate{MinSuccess: 5000, MaxFailed: 500}, Gate{MinSuccess: 7000, MaxFailed: 500}, Gate{MinSuccess: 7000, MaxFailed: 500}},
		{"successes that only a default asks for", Gate{MinSuccess: 5000}, Gate{}, Gate{MinSuccess: 10000}},
		{"and of one that tolerates some", Gate{MinSuccess: 5000, MaxFailed: 1000}, Gate{MaxFailed: 400}, Gate{MinSuccess: 9600, MaxFailed: 400}},
		{"a larger sample", Gate{MinSample: 3}, Gate{MinSample: 10}, Gate{MinSample: 10}},
		{"more coverage", Gate{MinCoverage: 8000}, Gate{MinCoverage: 9000}, Gate{MinCoverage: 9000}},
		{"a longer soak", Gate{Soak: hour}, Gate{Soak: 24 * hour}, Gate{Soak: 24 * hour}},
		{"by hand", Gate{Manual: true}, Gate{}, Gate{Manual: true}},
		{"a shorter timeout", Gate{Timeout: 9 * hour}, Gate{Timeout: 5 * hour}, Gate{Timeout: 5 * hour}},
		{"a timeout rather than none", Gate{Timeout: 9 * hour}, Gate{}, Gate{Timeout: 9 * hour}},
		{"a timeout that leaves time for the soak", Gate{Timeout: 2 * hour}, Gate{Soak: 24 * hour}, Gate{Soak: 24 * hour, Timeout: 26 * hour}},
		{"failing rather than holding", Gate{Timeout: 9 * hour, OnTimeout: TimeoutFails}, Gate{Timeout: 5 * hour},
			Gate{Timeout: 5 * hour, OnTimeout: TimeoutFails}},
		{"evidence rather than none", Gate{Evidence: Evidence{Tolerate: 200, Within: hour}}, Gate{}, Gate{Evidence: Evidence{Tolerate: 200, Within: hour}}},
		{"evidence of less", Gate{Evidence: Evidence{Tolerate: 200, Below: 900, Within: 2 * hour}}, Gate{Evidence: Evidence{Tolerate: 300, Below: 500, Within: hour, Pooled: true}},
			Gate{Evidence: Evidence{Tolerate: 200, Below: 500, Within: hour, Pooled: true}}},
		{"a surer proof", Gate{Evidence: Evidence{Tolerate: 200, Confidence: 9000}}, Gate{Evidence: Evidence{Tolerate: 200}}, Gate{Evidence: Evidence{Tolerate: 200, Confidence: 9500}}},
		{"a comparison rather than none", Gate{Control: Control{Devices: 3, Least: 1}}, Gate{}, Gate{Control: Control{Devices: 3, Least: 1}}},
		{"a comparison with more, for longer", Gate{Control: Control{Devices: 3, Least: 1, Within: hour, Confidence: 9000}}, Gate{Control: Control{Devices: 5}},
			Gate{Control: Control{Devices: 5, Least: 1, Within: 24 * hour, Confidence: 9000}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(row.want, row.a.Stricter(row.b)))
			require.Empty(t, cmp.Diff(row.want, row.b.Stricter(row.a)), "the other way round")
		})
	}
}

func TestStricterOfValidGatesIsValid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	gate := func() Gate {
		g := Gate{Denominator: Denominator(random.IntN(3)), MinSample: random.IntN(9), MinCoverage: Share(random.IntN(10001)),
			Manual: random.IntN(2) == 0, MaxFailed: Share(random.IntN(10001)), Soak: Duration(random.IntN(3)) * Duration(time.Hour)}
		if random.IntN(2) == 0 {
			g.MinSuccess = Share(random.IntN(int(whole-g.MaxFailed) + 1))
		}
		if random.IntN(2) == 0 {
			g.Timeout, g.OnTimeout = g.Soak+Duration(1+random.Int64N(9e12)), OnTimeout(random.IntN(2))
		}
		if random.IntN(2) == 0 {
			g.Evidence = Evidence{Tolerate: 1 + Share(random.IntN(9000)), Confidence: Share(5000 + random.IntN(5000)), Pooled: random.IntN(2) == 0}
			if g.MinSuccess == 0 && g.MaxFailed == whole || random.IntN(2) == 0 {
				g.Evidence.Below = g.Evidence.Tolerate + Share(random.IntN(900))
			}
		}
		if random.IntN(3) == 0 {
			g.Control = Control{Devices: 1 + random.IntN(9), Within: Duration(random.Int64N(9e12)), Confidence: Share(random.IntN(2) * (5000 + random.IntN(5000)))}
			g.Control.Least = random.IntN(g.Control.Devices + 1)
		}
		return g
	}
	for range 10_000 {
		a, b := gate(), gate()
		m := a.Stricter(b)
		require.Empty(t, cmp.Diff(m, b.Stricter(a)))
		require.Empty(t, cmp.Diff(a, a.Stricter(a)))
		var c checker
		c.gate("gate", m)
		require.Empty(t, c.faults, "%+v and %+v make %+v", a, b, m)
		for _, g := range []Gate{a.WithDefaults(), b.WithDefaults()} {
			require.GreaterOrEqual(t, m.WithDefaults().MinSuccess, g.MinSuccess)
			require.LessOrEqual(t, m.MaxFailed, g.MaxFailed)
		}
	}
}

// Every field of a gate takes part: a stricter value in either gate shows in the result.
func TestStricterForgetsNoField(t *testing.T) {
	full := fleet().Rings[0].Gate
	full.Manual, full.Denominator = true, Assigned
	lax := Gate{Denominator: Settled, MaxFailed: whole}
	m := lax.Stricter(full)
	require.Empty(t, cmp.Diff(full, m))
	for i := range reflect.TypeFor[Gate]().NumField() {
		require.NotEqual(t, reflect.ValueOf(lax).Field(i).Interface(), reflect.ValueOf(m).Field(i).Interface())
	}
}

func TestDefaultsTakeThePlaceOfZeros(t *testing.T) {
	const minute, hour = Duration(time.Minute), Duration(time.Hour)
	want := Retry{Attempts: 3, Backoff: 10 * minute, MaxBackoff: 6 * hour, BusyEvery: 5 * minute, BusyLimit: 12,
		OfflineEvery: hour, Grace: 24 * hour, Timeout: 4 * hour}
	require.Equal(t, want, Retry{}.WithDefaults())
	require.Equal(t, fleet().Retry, fleet().Retry.WithDefaults(), "what is set stays")

	require.Equal(t, Reboot{Timeout: 30 * minute}, Reboot{}.WithDefaults())
	require.Equal(t, fleet().Reboot, fleet().Reboot.WithDefaults())

	require.Equal(t, Gate{MinSuccess: 10000, MinSample: 1}, Gate{}.WithDefaults())
	require.Equal(t, Gate{MinSuccess: 9500, MaxFailed: 500, MinSample: 1, Evidence: Evidence{Tolerate: 200, Confidence: 9500}},
		Gate{MaxFailed: 500, Evidence: Evidence{Tolerate: 200}}.WithDefaults())
	require.Equal(t, Gate{MinSuccess: 9500, MaxFailed: 500, MinSample: 1}, Gate{MaxFailed: 500}.WithDefaults())
	require.Equal(t, Gate{MinSuccess: 5000, MaxFailed: 500, MinSample: 7}, Gate{MinSuccess: 5000, MaxFailed: 500, MinSample: 7}.WithDefaults())
}
