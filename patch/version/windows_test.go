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

func win(text string) version.Version { return version.Version{Scheme: version.Windows, Text: text} }

func TestDotNetVectors(t *testing.T) {
	checkVectors(t, "testdata/dotnet-version.tsv", version.DotNet, 20)
}

func TestDotNetSharedVectors(t *testing.T) {
	shared := need.Shared(t)
	checkVectors(t, filepath.Join(shared, "vectors", "dotnet-version.tsv"), version.DotNet, 20)
	checkDotNetInvalid(t, filepath.Join(shared, "vectors", "dotnet-version-invalid.txt"))
}

func TestDotNetRefuses(t *testing.T) {
	checkDotNetInvalid(t, "testdata/dotnet-version-invalid.txt")
}

func checkDotNetInvalid(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); rows++ {
		_, err := version.Parse(version.DotNet, lines.Text())
		require.ErrorIs(t, err, version.ErrSyntax, "%q", lines.Text())
	}
	require.Equal(t, 16, rows)
}

func TestWindowsOrder(t *testing.T) {
	order := [][]string{{"0"}, {"6.1.7601"}, {"10", "10.0", "10.0.0.0", "010.00"}, {"10.0.0.1"}, {"10.0.9200"}, {"10.0.22000.318"},
		{"10.0.22631.4317"}, {"10.0.22631.10000"}, {"10.0.26100"}, {"11"}, {"4294967295"}}
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					got, err := version.Compare(win(a), win(b))
					require.NoError(t, err)
					require.Equal(t, sign(i-j), sign(got), "%s and %s", a, b)
				}
			}
		}
	}
}

func TestWindowsGrammar(t *testing.T) {
	for text, why := range map[string]string{
		"": "want at most four numbers", "1.2.3.4.5": "want at most four numbers", "1..2": "want at most four numbers", "v1": "want at most four numbers",
		"10.0.22631 ": "want at most four numbers", "-1": "want at most four numbers", "4294967296": "too big", "1.99999999999999999999": "too big", "1.0-rc": "want at most",
	} {
		_, err := version.Parse(version.Windows, text)
		require.ErrorIs(t, err, version.ErrSyntax, text)
		require.ErrorContains(t, err, why, text)
	}
	_, err := version.Parse(version.DotNet, "1")
	require.ErrorContains(t, err, "want two numbers at least")
	_, err = version.Parse(version.DotNet, "1.2147483648")
	require.ErrorContains(t, err, "too big")
}

// numbersReference compares number by number; missing is what a missing one counts as.
func numbersReference(missing int) func(a, b string) int {
	return func(a, b string) int {
		at := func(s string, i int) (n int) {
			parts := strings.Split(s, ".")
			if i >= len(parts) {
				return missing
			}
			for _, c := range parts[i] {
				n = n*10 + int(c-'0')
			}
			return n
		}
		c := 0
		for i := range 4 {
			c = cmp.Or(c, cmp.Compare(at(a, i), at(b, i)))
		}
		return c
	}
}

func FuzzWindows(f *testing.F) {
	f.Add("10.0.22631.4317", "10.0", "10.0.0.0")
	f.Add("1.0", "1.0.0", "01.0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		checkOrder(t, version.Windows, numbersReference(0), a, b, c)
		checkOrder(t, version.DotNet, numbersReference(-1), a, b, c)
	})
}
