package version_test

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func TestNuGetVectors(t *testing.T) {
	checkSomeVectors(t, "testdata/nuget.tsv", version.NuGet, 50, 2)
}

func TestNuGetSharedVectors(t *testing.T) {
	checkSomeVectors(t, filepath.Join(need.Shared(t), "vectors", "nuget.tsv"), version.NuGet, 50, 2)
}

// checkSomeVectors compares every row of a file of vectors both ways, of which so many are right, and so many have a text that is no
// version.
func checkSomeVectors(t *testing.T, file string, scheme version.Scheme, right, refused int) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	got := [2]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		require.GreaterOrEqual(t, len(cols), 3, lines.Text())
		a, b := version.Version{Scheme: scheme, Text: cols[0]}, version.Version{Scheme: scheme, Text: cols[2]}
		c, err := version.Compare(a, b)
		back, errBack := version.Compare(b, a)
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			require.ErrorIs(t, errBack, version.ErrSyntax)
			got[1]++
			continue
		}
		want := strings.Index("<=>", cols[1]) - 1
		require.NoError(t, errBack)
		require.Equal(t, []int{want, -want}, []int{sign(c), sign(back)}, lines.Text())
		got[0]++
	}
	require.Equal(t, [2]int{right, refused}, got, "rows that are right, and refused")
}

func TestNuGetOrder(t *testing.T) {
	checkSorted(t, version.NuGet, [][]string{
		{"0.0.0.1-a"}, {"0.0.0.1"}, {"1.0--2147483648"}, {"1.0--5", "1.0--05"}, {"1.0-0", "1.0--0"}, {"1.0-0.0"}, {"1.0-9"}, {"1.0-10"}, {"1.0-2147483647"},
		{"1.0--1a"}, {"1.0--2147483649"}, {"1.0--x"}, {"1.0-1-2"}, {"1.0-2147483648"}, {"1.0-99999999999"}, {"1.0-a"}, {"1.0-A.1"}, {"1.0-a.b", "1.0-A.B+x"}, {"1.0-a-"}, {"1.0-ab"},
		{"1", "1.0", "1.0.0.0", " 1.00\n", "1+b.01.-"}, {"1.0.0.1"}, {"1.0.1"}, {"1.2"}, {"1.10"}, {"2147483647"},
	})
}

func TestNuGetGrammar(t *testing.T) {
	checkGrammar(t, version.NuGet, []string{"1-a", "1.2.3.4-0A.00a"}, map[string]string{
		"": "at most four numbers", "v1": "at most four numbers", "1.2.3.4.5": "at most four numbers", "1.": "at most four numbers", "1..2": "at most four numbers", "1. 2": "at most four numbers",
		"-1": "at most four numbers", "2147483648": "too big", "1.99999999999999999999": "too big", "1.0-": "a label that is none", "1.0-a..b": "a label that is none", "1.0-a_b": "a label that is none",
		"1.0-é": "a label that is none", "1.0-01": "leading zero", "1.0+": "follows the plus sign", "1.0-a+b+c": "follows the plus sign", "1.0+a..b": "follows the plus sign",
	})
}

// nugetReference compares two versions as NuGet.Versioning does.
func nugetReference(a, b string) int {
	read := func(s string) (numbers []int64, labels []string) {
		s, _, _ = strings.Cut(strings.TrimSpace(s), "+")
		s, pre, found := strings.Cut(s, "-")
		for _, part := range strings.Split(s+".0.0.0", ".")[:4] {
			n, _ := strconv.ParseInt(part, 10, 64)
			numbers = append(numbers, n)
		}
		if found {
			labels = strings.Split(pre, ".")
		}
		return numbers, labels
	}
	an, ap := read(a)
	bn, bp := read(b)
	for i := range 4 {
		if c := cmp.Compare(an[i], bn[i]); c != 0 {
			return c
		}
	}
	if ap == nil || bp == nil {
		return cmp.Compare(len(bp), len(ap)) // none is newer
	}
	for i := range min(len(ap), len(bp)) {
		x, errX := strconv.ParseInt(ap[i], 10, 32)
		y, errY := strconv.ParseInt(bp[i], 10, 32)
		c := 0
		switch {
		case errX == nil && errY == nil:
			c = cmp.Compare(x, y)
		case errX == nil:
			c = -1
		case errY == nil:
			c = 1
		default:
			c = strings.Compare(strings.ToUpper(ap[i]), strings.ToUpper(bp[i]))
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(ap), len(bp))
}

func TestNuGetOrdersAllSmallVersions(t *testing.T) {
	checkAllPairs(t, version.NuGet, pieces(5, "1", "0", ".", "-", "a", "B"), 600, nugetReference)
}

func FuzzNuGet(f *testing.F) {
	f.Add("1.2.3.4-a.1", "1.2.3.4-A.-5", "1.2+x")
	f.Add("1-"+strings.Repeat("9", 1000), "1-1"+strings.Repeat("0", 1000), strings.Repeat("0", 1000))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.NuGet, nugetReference, a, b, c)
	})
}
