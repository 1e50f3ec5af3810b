package version_test

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func compareLoose(a, b string) (int, error) {
	return version.Compare(version.Version{Scheme: version.Loose, Text: a}, version.Version{Scheme: version.Loose, Text: b})
}

func TestLooseVersionsAreOrdered(t *testing.T) {
	// From the oldest to the newest; those on one line are equal. The pre-releases are the example of semver.org item 11.
	order := [][]string{
		{"0.9"}, {"1.0.0-alpha"}, {"1.0.0-alpha.1"}, {"1.0.0-alpha.beta"}, {"1.0.0-beta"}, {"1.0.0-beta.2"}, {"1.0.0-beta.11"},
		{"1.0.0-rc.1"}, {"1.0.0", "v1", "1.0", "1.0.0+build5", "1.0.0.0"}, {"1.0.0.1"}, {"1.2"}, {"1.10"}, {"2.0-rc1"}, {"2.0"},
	}
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					got, err := compareLoose(a, b)
					require.NoError(t, err)
					require.Equal(t, sign(i-j), sign(got), "%s and %s", a, b)
				}
			}
		}
	}
}

func TestLooseRefusesWhatIsNoVersion(t *testing.T) {
	for _, text := range []string{"", "latest", "1..2", "1.2.3 beta", "-1", strings.Repeat("1", 300), "99999999999999999999999999"} {
		_, err := version.Parse(version.Loose, text)
		require.ErrorIs(t, err, version.ErrSyntax, text)
	}
	_, err := version.Compare(version.Version{Scheme: version.Loose, Text: "1"}, version.Version{Scheme: version.Deb, Text: "1"})
	require.ErrorIs(t, err, version.ErrIncomparable)
}

// Every row that semver.org or node-semver state, as far as the text is a version here at all.
func TestLooseAgreesWithSemverVectors(t *testing.T) {
	shared := need.Shared(t)
	f, err := os.Open(filepath.Join(shared, "vectors", "semver.tsv"))
	require.NoError(t, err)
	defer f.Close()
	compared := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		row := strings.Split(lines.Text(), "\t")
		got, err := compareLoose(row[0], row[2])
		if errors.Is(err, version.ErrSyntax) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, map[string]int{"<": -1, "=": 0, ">": 1}[row[1]], sign(got), lines.Text())
		compared++
	}
	require.Greater(t, compared, 120)
}

func FuzzLoose(f *testing.F) {
	for _, s := range []string{"1.2.3", "v1", "1-a.b", "1.0-0a", "1.0~x", "1.2.3-4.5+6"} {
		f.Add(s, "1.0.0-rc.1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ab, err := compareLoose(a, b)
		if err != nil {
			return
		}
		ba, err := compareLoose(b, a)
		require.NoError(t, err)
		require.Equal(t, sign(ab), -sign(ba))
		if a == b {
			require.Zero(t, ab)
		}
	})
}
