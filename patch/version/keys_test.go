package version_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
)

// Keys are stored in indices and databases, so they stay what they are, byte by byte: a row of this file is changed only
// together with everything that was stored.
func TestKeysStayWhatTheyAre(t *testing.T) {
	f, err := os.Open("testdata/keys.tsv")
	require.NoError(t, err)
	defer f.Close()
	rows := make(map[version.Scheme]int)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cols := strings.Split(lines.Text(), "\t")
		require.Len(t, cols, 3)
		v := version.Version{Scheme: version.Scheme(cols[0])}
		v.Text, err = strconv.Unquote(cols[1])
		require.NoError(t, err)
		want, err := strconv.Unquote(cols[2])
		require.NoError(t, err)
		got, err := v.Key()
		require.NoError(t, err, v)
		require.Equal(t, want, string(got), "%s %s", v.Scheme, v)
		rows[v.Scheme]++
	}
	require.NoError(t, lines.Err())
	require.Len(t, rows, 15)
	for s, n := range rows {
		require.GreaterOrEqual(t, n, 12, s)
	}
}

// requireCompare requires that Compare, which builds no keys for some schemes, says of two texts what their keys say, and
// refuses what has none with the same words.
func requireCompare(t *testing.T, s version.Scheme, a, b string) {
	t.Helper()
	x, y := version.Version{Scheme: s, Text: a}, version.Version{Scheme: s, Text: b}
	xk, erra := x.Key()
	yk, errb := y.Key()
	got, err := version.Compare(x, y)
	switch {
	case erra != nil:
		require.EqualError(t, err, erra.Error(), "%q against %q", a, b)
		require.ErrorIs(t, err, version.ErrSyntax)
	case errb != nil:
		require.EqualError(t, err, errb.Error(), "%q against %q", a, b)
		require.ErrorIs(t, err, version.ErrSyntax)
	case err != nil || got != strings.Compare(string(xk), string(yk)):
		require.NoError(t, err, "%q against %q", a, b)
		require.Equal(t, strings.Compare(string(xk), string(yk)), got, "%q against %q", a, b)
	}
}

// Every version of up to three pieces against every other, also behind beginnings that they share; what is refused against some.
func TestCompareSaysWhatKeysSay(t *testing.T) {
	starts := []string{"", "1", "1.0", "10a", "1-1", "1:1.b-0"}
	for s, all := range map[version.Scheme][]string{
		version.Deb: {"0", "1", "a", "~", ".", "-", ":", "Z1", "_"},
		version.RPM: {"0", "1", "a", "~", "^", ".", "-", ":", "b1", " "},
	} {
		t.Run(string(s), func(t *testing.T) {
			for _, start := range starts {
				var valid, keys []string
				for i, text := range pieces(3, all...) {
					text = start + text
					if key, err := (version.Version{Scheme: s, Text: text}).Key(); err == nil {
						valid, keys = append(valid, text), append(keys, string(key))
						continue
					}
					for _, other := range []string{text, start + "1", start + all[i%len(all)], ""} {
						requireCompare(t, s, text, other)
						requireCompare(t, s, other, text)
					}
				}
				require.Greater(t, len(valid), 100)
				for i, a := range valid {
					for j, b := range valid {
						got, err := version.Compare(version.Version{Scheme: s, Text: a}, version.Version{Scheme: s, Text: b})
						if err != nil || got != strings.Compare(keys[i], keys[j]) {
							requireCompare(t, s, a, b)
						}
					}
				}
			}
		})
	}
}

func TestCompareDoesNotAllocate(t *testing.T) {
	for _, pair := range [][2]version.Version{
		{deb("1:2.36.1-8+deb12u12"), deb("1:2.36.1-8+deb12u13~bpo11+1")},
		{rpm("1:3.0.7-16.el9_2." + strings.Repeat("1", 200)), rpm("1:3.0.7-16.el9_2." + strings.Repeat("1", 201))},
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = version.Compare(pair[0], pair[1]) }), pair)
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, pair := range [][2]version.Version{
		{deb("1:2.36.1-8+deb12u12"), deb("1:2.36.1-8+deb12u13")},
		{rpm("1:3.0.7-16.el9_2.1"), rpm("1:3.0.7-17.el9_2")},
	} {
		b.Run(string(pair[0].Scheme), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c, err := version.Compare(pair[0], pair[1]); c >= 0 || err != nil {
					b.Fatal(c, err)
				}
			}
		})
	}
}
