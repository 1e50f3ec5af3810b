package bench

import (
	"strings"
	"testing"
	"time"

	knqyf263 "github.com/knqyf263/go-deb-version"
	"github.com/stretchr/testify/require"
	pault "pault.ag/go/debian/version"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/patch/version"
)

// upgrades returns the versions that a real Debian machine has and those that it can have instead.
func upgrades(tb testing.TB) (from, to []string) {
	all, err := bookworm.Upgradable()
	require.NoError(tb, err)
	for _, u := range all {
		from, to = append(from, u.From), append(to, u.To)
	}
	return from, to
}

func deb(s string) version.Version { return version.Version{Scheme: version.Deb, Text: s} }

func TestEveryUpgradeIsNewerForAllThree(t *testing.T) {
	from, to := upgrades(t)
	require.NotEmpty(t, from)
	for i := range from {
		n, err := version.Compare(deb(from[i]), deb(to[i]))
		require.NoError(t, err)
		require.Negative(t, n, "%s, %s", from[i], to[i])
		a, b := versionOf(t, knqyf263.NewVersion, from[i]), versionOf(t, knqyf263.NewVersion, to[i])
		require.Negative(t, a.Compare(b), "%s, %s", from[i], to[i])
		require.Negative(t, pault.Compare(versionOf(t, pault.Parse, from[i]), versionOf(t, pault.Parse, to[i])), "%s, %s", from[i], to[i])
	}
}

func TestComparingTakesNoMemory(t *testing.T) {
	from, to := upgrades(t)
	for i := range from {
		a, err := deb(from[i]).Key()
		require.NoError(t, err)
		b, err := deb(to[i]).Key()
		require.NoError(t, err)
		older := 0
		require.Zero(t, testing.AllocsPerRun(10, func() {
			older += strings.Compare(string(a), string(b))
			c, err := version.Compare(deb(from[i]), deb(to[i]))
			if err != nil || c >= 0 {
				t.Errorf("%s is not below %s: %v", from[i], to[i], err)
			}
		}))
		require.Negative(t, older)
	}
}

func versionOf[V any](tb testing.TB, parse func(string) (V, error), text string) V {
	v, err := parse(text)
	require.NoError(tb, err, text)
	return v
}

// versions measures the comparison of Debian versions against two peers: making a form that can be compared, comparing two
// of those, and comparing two texts from the start, as it is done with what a scan brings.
func versions(tb testing.TB) *contest {
	const repeat = 200
	from, to := upgrades(tb)
	n := len(from)
	var keys [2][]string
	var knq [2][]knqyf263.Version
	var plt [2][]pault.Version
	for i, list := range [][]string{from, to} {
		for _, text := range list {
			k, err := deb(text).Key()
			require.NoError(tb, err)
			keys[i] = append(keys[i], string(k))
			knq[i] = append(knq[i], versionOf(tb, knqyf263.NewVersion, text))
			plt[i] = append(plt[i], versionOf(tb, pault.Parse, text))
		}
	}
	older := 0
	timed := func(name string, once func(i int)) side {
		return side{name: name, per: repeat * n, run: func() {
			for range repeat {
				for i := range n {
					once(i)
				}
			}
		}}
	}
	failed := func(errs ...error) {
		for _, err := range errs {
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	count := func(c int) {
		if c < 0 {
			older++
		}
	}
	buf := make([]byte, 0, 256)
	return &contest{
		name: "Debian versions",
		sides: []side{
			timed("parse by knqyf263", func(i int) { _, err := knqyf263.NewVersion(from[i]); failed(err) }),
			timed("parse by pault.ag", func(i int) { _, err := pault.Parse(from[i]); failed(err) }),
			timed("AppendKey", func(i int) { _, err := deb(from[i]).AppendKey(buf); failed(err) }),
			timed("compare parsed by knqyf263", func(i int) { count(knq[0][i].Compare(knq[1][i])) }),
			timed("compare parsed by pault.ag", func(i int) { count(pault.Compare(plt[0][i], plt[1][i])) }),
			timed("compare keys", func(i int) { count(strings.Compare(keys[0][i], keys[1][i])) }),
			timed("compare texts by knqyf263", func(i int) {
				a, err := knqyf263.NewVersion(from[i])
				b, err2 := knqyf263.NewVersion(to[i])
				failed(err, err2)
				count(a.Compare(b))
			}),
			timed("compare texts by pault.ag", func(i int) {
				a, err := pault.Parse(from[i])
				b, err2 := pault.Parse(to[i])
				failed(err, err2)
				count(pault.Compare(a, b))
			}),
			timed("Compare texts", func(i int) { c, err := version.Compare(deb(from[i]), deb(to[i])); failed(err); count(c) }),
		},
		goals: []goal{
			{"AppendKey", "parse by knqyf263", 1}, {"AppendKey", "parse by pault.ag", 0},
			{"compare keys", "compare parsed by knqyf263", 1. / 50}, {"compare keys", "compare parsed by pault.ag", 1. / 5},
			{"Compare texts", "compare texts by knqyf263", 1. / 5}, {"Compare texts", "compare texts by pault.ag", 1},
		},
		bounds: []bound{{"compare keys", 10 * time.Nanosecond}},
	}
}

func BenchmarkVersion(b *testing.B) { bench(b, versions) }
