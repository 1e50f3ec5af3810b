package version_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func macos(text string) version.Version { return version.Version{Scheme: version.MacOS, Text: text} }

func build(text string) version.Version {
	return version.Version{Scheme: version.MacOSBuild, Text: text}
}

func TestMacOSVectors(t *testing.T) {
	checkVectors(t, "testdata/macos.tsv", version.MacOS, 2)
	checkVectors(t, "testdata/macos.tsv", version.Sparkle, 2)
}

func TestMacOSSharedVectors(t *testing.T) {
	checkVectors(t, filepath.Join(need.Shared(t), "vectors", "macos-munki.tsv"), version.MacOS, 2)
}

func TestMacOSOrder(t *testing.T) {
	checkSorted(t, version.MacOS, [][]string{
		{"0"}, {"10.9.5"}, {"10.15.7"}, {"11", "11.0", "11.0.0.0"}, {"13.4"}, {"13.4.1", "13.04.1"}, {"13.4.1 (a)", "13.4.1(a)"}, {"13.4.1 (c)", "13.4.1.0(c)"},
		{"13.4.2"}, {"13.5"}, {"26.3 (a)", "26.3.0(a)"}, {"26.3.1"}, {"26.3.10"},
	})
}

func TestMacOSGrammar(t *testing.T) {
	checkGrammar(t, version.MacOS, []string{"15", "15.6.1", "26.3.1 (z)"}, map[string]string{
		"": "at most four numbers", "1.2.3.4.5": "at most four numbers", "15.": "at most four numbers", "15.6 beta": "at most four numbers", "15.6b": "at most four numbers",
		"15.6  (a)": "at most four numbers", " 15": "at most four numbers", "(a)": "at most four numbers", "15.6 a": "at most four numbers",
		"15.6 ()": "small letter between", "15.6 (A)": "small letter between", "15.6 (1)": "small letter between", "15.6 (ab)": "small letter between",
		"15.6 (a) ": "small letter between", "15.6 (a": "small letter between",
	})
}

// The builds of macOS 11 to 26 that Apple gave out one after another, from the oldest to the newest of each line.
func TestMacOSBuildOrder(t *testing.T) {
	for _, line := range []string{
		"19H2026 20A2261g 20A4299v 20A5299w 20A4300b 20A5323l 20A5343i 20A5343j 20A5354i 20A5374f 20A5374g 20A5374i 20A5395g 20A2411 20B5012d 20B5022a 20B28 20B29",
		"20G71 20G80 20G95 20G165 20G224 20G314 20G918 20G1020 20G1116 20G1427 21A344",
		"22E252 22E261 22E772610a 22F66 22F82 22F770820b 22F770820d 22G74 22G90 22G91",
		"23A5257q 23A5276g 23A5286g 23A5286i 23A5301g 23A5301h 23A5312d 23A5328b 23A5337a 23A339 23A344 23B74 23B81 23B92",
		"25C56 25D2128 25D771280a 25E246 25E253 25F71 25G72 25G76 25G83",
		"9A581 17A264c 18A293u 18A391 18B75",
	} {
		var lines [][]string
		for _, text := range strings.Fields(line) {
			lines = append(lines, []string{text})
		}
		checkSorted(t, version.MacOSBuild, lines)
	}
}

func TestMacOSBuildGrammar(t *testing.T) {
	checkGrammar(t, version.MacOSBuild, []string{"4K78", "17G14042", "22F770820b", "21A5248p"}, map[string]string{
		"": "a number and a capital letter", "25": "a number and a capital letter", "G83": "a number and a capital letter", "25g83": "a number and a capital letter", "15.6.1": "a number and a capital",
		"25G": "leading zeros", "25Gb": "leading zeros", "26A000": "leading zeros", "025A1": "leading zeros", "25G083": "leading zeros", "25É83": "a number and a capital",
		"25G83ab": "one small letter", "25G83A": "one small letter", "25G83 ": "one small letter", "25G83.1": "one small letter",
		"25G12345a": "unknown form", "25G780820a": "unknown form", "20C7750490a": "unknown form",
	})
}

// In what Apple lists as current, versions of macOS and their builds are in the same order, but for those of one model, 26.3.2, that
// others do not have.
func TestMacOSBuildsAreOrderedAsTheirVersions(t *testing.T) {
	releases := make(map[string]string) // versions by build
	for _, name := range []string{"data_resources_gdmf_cached.json", "data_resources_uma_catalog.json", "v1_macos_data_feed.json", "v2_macos_data_feed.json"} {
		text, err := os.ReadFile(filepath.Join(need.Shared(t, "feeds", "apple-sofa"), name))
		require.NoError(t, err)
		var feed any
		require.NoError(t, json.Unmarshal(text, &feed))
		// gdmf lists all systems by name.
		if data, ok := feed.(map[string]any)["data"].(map[string]any); ok {
			for _, set := range data {
				collect(set.(map[string]any)["macOS"], releases)
			}
			continue
		}
		collect(feed, releases)
	}
	delete(releases, "25D2140")
	delete(releases, "25D771400a")
	all := make([]string, 0, len(releases))
	for b := range releases {
		all = append(all, b)
	}
	slices.Sort(all)
	require.GreaterOrEqual(t, len(all), 20)
	for _, a := range all {
		for _, b := range all {
			want, err := version.Compare(macos(releases[a]), macos(releases[b]))
			require.NoError(t, err)
			got, err := version.Compare(build(a), build(b))
			require.NoError(t, err)
			require.Equal(t, sign(want), sign(got), "%s (%s) against %s (%s)", releases[a], a, releases[b], b)
		}
	}
}

// collect finds builds and their versions in a feed.
func collect(at any, releases map[string]string) {
	switch at := at.(type) {
	case []any:
		for _, x := range at {
			collect(x, releases)
		}
	case map[string]any:
		word := func(names ...string) string {
			for _, name := range names {
				if s, ok := at[name].(string); ok {
					return s
				}
			}
			return ""
		}
		v, b := word("ProductVersion", "Version", "version"), word("Build", "build")
		if v != "" && b != "" {
			if extra := word("VersionExtra", "ProductVersionExtra"); extra != "" || releases[b] == "" {
				releases[b] = v + extra
			}
		}
		for _, x := range at {
			collect(x, releases)
		}
	}
}

func numberCompare(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func macosReference(a, b string) int {
	read := func(s string) (all []string) {
		number, letter, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), ")", ""), "(")
		all = strings.Split(number, ".")
		for len(all) < 4 {
			all = append(all, "0")
		}
		return append(all, letter)
	}
	ap, bp := read(a), read(b)
	for i := range 4 {
		if c := numberCompare(ap[i], bp[i]); c != 0 {
			return c
		}
	}
	return strings.Compare(ap[4], bp[4])
}

// buildReference compares train, letter, number (of a beta with four digits the last three) and small letter, of which none is newest.
func buildReference(a, b string) int {
	read := func(s string) [4]string {
		const figures = "0123456789"
		rest := strings.TrimLeft(s, figures)
		number := strings.TrimRight(rest[1:], "abcdefghijklmnopqrstuvwxyz")
		small := rest[1+len(number):]
		switch {
		case small == "":
			small = "~"
		case len(number) == 4:
			number = number[1:]
		}
		return [4]string{s[:len(s)-len(rest)], rest[:1], number, small}
	}
	x, y := read(a), read(b)
	return cmp.Or(numberCompare(x[0], y[0]), strings.Compare(x[1], y[1]), numberCompare(x[2], y[2]), strings.Compare(x[3], y[3]))
}

func TestMacOSOrdersAllSmallVersions(t *testing.T) {
	checkAllPairs(t, version.MacOS, pieces(5, "0", "1", ".", " (a)", "(b)"), 100, macosReference)
	checkAllPairs(t, version.MacOSBuild, pieces(5, "1", "A", "B", "77", "5012", "a"), 300, buildReference)
}

func FuzzMacOS(f *testing.F) {
	f.Add("13.4.1 (a)", "13.4.1", "13.5")
	f.Add(strings.Repeat("9", 1000), "1"+strings.Repeat("0", 1000), strings.Repeat("0", 1000))
	f.Fuzz(func(t *testing.T, a, b, c string) { checkOrder(t, version.MacOS, macosReference, a, b, c) })
}

func FuzzMacOSBuild(f *testing.F) {
	f.Add("25G83", "22F770820b", "20A5299w")
	f.Add("1A"+strings.Repeat("9", 1000), strings.Repeat("9", 1000)+"A1", "1A1"+strings.Repeat("0", 1000))
	f.Fuzz(func(t *testing.T, a, b, c string) { checkOrder(t, version.MacOSBuild, buildReference, a, b, c) })
}
