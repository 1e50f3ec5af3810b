package version_test

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func semver(text string) version.Version { return version.Version{Scheme: version.SemVer, Text: text} }

func lenient(text string) version.Version {
	return version.Version{Scheme: version.SemVerLenient, Text: text}
}

// The rows are all of semver.org, node-semver and osv-scalibr for SemVerLenient; SemVer must agree where it reads both.
func TestSemVerVectors(t *testing.T) {
	checkVectors(t, "testdata/semver.tsv", version.SemVerLenient, 185)
	strict := 0
	f, err := os.Open("testdata/semver.tsv")
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		got, err := version.Compare(semver(cols[0]), semver(cols[2]))
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			continue
		}
		strict++
		require.Equal(t, strings.Index("<=>", cols[1])-1, sign(got), lines.Text())
	}
	require.Greater(t, strict, 90)
}

func TestSemVerSharedVectors(t *testing.T) {
	shared := need.Shared(t)
	checkVectors(t, filepath.Join(shared, "vectors", "semver.tsv"), version.SemVerLenient, 139)
	checkVectors(t, filepath.Join(shared, "vectors", "semver-loose.tsv"), version.SemVerLenient, 46)
}

func TestSemVerGrammar(t *testing.T) {
	for _, text := range []string{"0.0.0", "1.2.3-a-b.0+001.-", "1.2.3--", "99999999999999999999999.0.0", "1.0.0-0a"} {
		_, err := version.Parse(version.SemVer, text)
		require.NoError(t, err, text)
	}
	for text, why := range map[string]string{
		"": "want three numbers", "1": "want three numbers", "1.2": "want three numbers", "1.2.3.4": "want three numbers", "01.2.3": "leading zeros",
		"v1.2.3": "want three numbers", " 1.2.3": "want three numbers", "1.2.3-": "the pre-release is empty", "1.2.3-a..b": "an identifier that is none",
		"1.2.3-01": "a leading zero", "1.2.3+": "the build metadata", "1.2.3+a..b": "the build metadata", "1.2.3-é": "an identifier that is none",
		"1.2.x": "want three numbers", "1.2.3-a_b": "an identifier that is none",
	} {
		_, err := version.Parse(version.SemVer, text)
		require.ErrorIs(t, err, version.ErrSyntax, text)
		require.ErrorContains(t, err, why, text)
	}
	for _, text := range []string{"1", "v1.2", "V1", "= 1.2.3", "  v 01.02", "1.2.3.4-rc.01", "1+"} {
		_, err := version.Parse(version.SemVerLenient, text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{"", "v", "latest", "1..2", "1.2-", "1.x", "vv1", "1.2.3beta", "-1"} {
		_, err := version.Parse(version.SemVerLenient, text)
		require.ErrorIs(t, err, version.ErrSyntax, text)
	}
}

func TestSemVerLenientFillsIn(t *testing.T) {
	for _, same := range [][2]string{{"v1", "1.0.0"}, {"1.2", "1.2.0.0"}, {"1.02.3", "1.2.3"}, {"0", "0.0.0"}, {"1.2-a.01", "1.2.0-a.1"}} {
		got, err := version.Compare(lenient(same[0]), lenient(same[1]))
		require.NoError(t, err)
		require.Zero(t, got, same)
	}
}

// semReference compares two lenient versions the way semver.org item 11 tells it.
func semReference(a, b string) int {
	split := func(s string) (numbers, pre []string) {
		s = strings.TrimLeft(strings.TrimLeft(s, " "), "vV=")
		s, _, _ = strings.Cut(s, "+")
		core, p, found := strings.Cut(s, "-")
		if found {
			pre = strings.Split(p, ".")
		}
		return strings.Split(strings.TrimLeft(core, " "), "."), pre
	}
	number := func(a, b string) int {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	}
	an, ap := split(a)
	bn, bp := split(b)
	for i := range max(len(an), len(bn)) {
		x, y := "0", "0"
		if i < len(an) {
			x = an[i]
		}
		if i < len(bn) {
			y = bn[i]
		}
		if c := number(x, y); c != 0 {
			return c
		}
	}
	if (ap == nil) != (bp == nil) {
		if ap == nil {
			return 1
		}
		return -1
	}
	for i := range min(len(ap), len(bp)) {
		x, y := strings.Trim(ap[i], "0123456789") == "", strings.Trim(bp[i], "0123456789") == ""
		c := 0
		switch {
		case x && y:
			c = number(ap[i], bp[i])
		case x:
			c = -1
		case y:
			c = 1
		default:
			c = strings.Compare(ap[i], bp[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(ap), len(bp))
}

func FuzzSemVer(f *testing.F) {
	f.Add("1.2.3", "1.2.3-rc.1", "1.2.3-rc.1.0")
	f.Add("v1", "1.0.0", "=01.0-a")
	f.Add(strings.Repeat("9", 1000)+".0.0", "1"+strings.Repeat("0", 1000)+".0.0", "1.0.0--")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.SemVerLenient, semReference, a, b, c)
		checkOrder(t, version.SemVer, semReference, a, b, c)
	})
}
