package version_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func pep440(text string) version.Version { return version.Version{Scheme: version.PEP440, Text: text} }

// Of the rows, 11 have a version of the time before PEP 440, which packaging refuses: "0.1-bulbasaur", "-class.-jw.util.version.version-pre".
func TestPEP440Vectors(t *testing.T) {
	checkSomeVectors(t, "testdata/pep440.tsv", version.PEP440, 117, 11)
}

func TestPEP440SharedVectors(t *testing.T) {
	checkSomeVectors(t, filepath.Join(need.Shared(t), "vectors", "pep440.tsv"), version.PEP440, 4304, 11)
}

func TestPEP440Normalises(t *testing.T) {
	checkSorted(t, version.PEP440, [][]string{
		{"0", "0.0", "00", "v0", " V0!0\t"},
		{"1.dev", "1.0dev0", "1-DEV_0"},
		{"1a0.dev1", "1.0.ALPHA.0.dev.1"},
		{"1a", "1.0-alpha", "1_a.0", "1.a-"},
		{"1a.post", "1a0-0", "1a_rev", "1a--0"},
		{"1b2", "1.0.beta.2"},
		{"1c", "1rc", "1.0-pre", "1.PREVIEW0", "1rc_"},
		{"1.0", "v1", "1.0.0"},
		{"1+a", "1+A"}, {"1+a.b", "1+a-B", "1+a_b"}, {"1+9", "1+09"}, {"1+9.a"}, {"1+10"},
		{"1.post0.dev3", "1-r.dev3", "1-0dev3"},
		{"1.post0", "1r", "1-0", "1.rev-"}, {"1-3", "1.0-post.3", "1post3"}, {"1.post3+x"},
		{"1.0.1"}, {"1.2"}, {"1.10"}, {"1!0.1"}, {"2!0"}, {"10!0"},
	})
}

func TestPEP440Grammar(t *testing.T) {
	checkGrammar(t, version.PEP440, []string{"1a1.post2.dev3+l.0", "1a.-dev"}, map[string]string{
		"": "want numbers", "v": "want numbers", "vv1": "want numbers", "1!": "want numbers", "!1": "want numbers", ".1": "want numbers", "v 1": "want numbers", "-1": "want numbers", "a": "want numbers",
		"1.": "after its end", "1..2": "after its end", "1!2!3": "after its end", "1-": "after its end", "1.0-1post1": "after its end", "1post1a1": "after its end", "1dev1post1": "after its end", "1a1b1": "after its end",
		"1x": "after its end", "0.1-bulbasaur": "after its end", "1 2": "after its end", "1é": "after its end", "1.0.ſt": "after its end", "1ap": "after its end", "1.poſt": "after its end",
		"1+": "the local version", "1+a+b": "the local version", "1+a..b": "the local version", "1+a.": "the local version", "1+é": "the local version", "1+-a": "the local version",
	})
}

const pepForm = `(?is)^[ \t\n\v\f\r]*v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)` +
	`([-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?` +
	`(-([0-9]+)|[-_.]?(?:post|rev|r)[-_.]?([0-9]*))?` +
	`([-_.]?dev[-_.]?([0-9]*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?[ \t\n\v\f\r]*$`

// pepReader returns a function that reads a version into columns, which are compared one by one, numbers by value. It is a regular
// expression, as packaging has one; it tells nothing about texts that are no versions.
func pepReader() func(s string) [][]string {
	form := regexp.MustCompile(pepForm)
	return func(s string) [][]string {
		m := form.FindStringSubmatch(s)
		release := strings.Split(m[2], ".")
		for len(release) > 0 && strings.Trim(release[len(release)-1], "0") == "" {
			release = release[:len(release)-1]
		}
		pre := []string{"3"}
		switch letter := strings.ToLower(m[4]); {
		case letter != "" && letter[0] == 'a':
			pre = []string{"0", m[5]}
		case letter != "" && letter[0] == 'b':
			pre = []string{"1", m[5]}
		case letter != "":
			pre = []string{"2", m[5]}
		case m[6] == "" && m[9] != "":
			pre = nil
		}
		var post, local []string
		if m[6] != "" {
			post = []string{m[7] + m[8]}
		}
		dev := []string{"1"}
		if m[9] != "" {
			dev = []string{"0", m[10]}
		}
		if m[11] != "" {
			local = strings.FieldsFunc(strings.ToLower(m[11]), func(r rune) bool { return strings.ContainsRune("-_.", r) })
		}
		return [][]string{{m[1]}, release, pre, post, dev, local}
	}
}

// pepReference compares what a reader reads of two versions.
func pepReference(read func(string) [][]string) func(a, b string) int {
	number := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	return func(a, b string) int {
		x, y := read(a), read(b)
		for i := range x {
			c := slices.CompareFunc(x[i], y[i], func(m, n string) int {
				switch {
				case number(m) && number(n):
					return numberCompare(m, n)
				case number(m):
					return 1
				case number(n):
					return -1
				}
				return strings.Compare(m, n)
			})
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func TestPEP440OrdersAllSmallVersions(t *testing.T) {
	texts := pieces(4, "1", "0", ".", "-", "!", "a", "rc", "r", "dev", "+")
	checkAllPairs(t, version.PEP440, texts, 700, pepReference(memo(pepReader())))
	form := regexp.MustCompile(pepForm)
	for _, text := range pieces(5, "1", ".", "-", "b", "c", "pre", "post", "dev", "v") {
		_, err := version.Parse(version.PEP440, text)
		require.Equal(t, form.MatchString(text), err == nil, "%q", text)
	}
}

// memo remembers what read has read.
func memo(read func(string) [][]string) func(string) [][]string {
	known := make(map[string][][]string)
	return func(s string) [][]string {
		got, ok := known[s]
		if !ok {
			got = read(s)
			known[s] = got
		}
		return got
	}
}

// pythonSays tells of pairs in lines whether both are versions, and how they compare.
const pythonSays = `
import sys
try:
    from packaging.version import Version, InvalidVersion
except ImportError:
    try:
        from pip._vendor.packaging.version import Version, InvalidVersion
    except ImportError:
        sys.exit(3)
for line in sys.stdin:
    try:
        a, b = map(Version, line.rstrip("\n").split("\t"))
        print((a > b) - (a < b))
    except InvalidVersion:
        print("invalid")
`

func TestPEP440AgreesWithPackaging(t *testing.T) {
	python := need.Tool(t, "python3")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var pairs [][2]string
	var input strings.Builder
	for range 5000 {
		a := randomPEP440(random)
		b := randomPEP440(random)
		if random.IntN(2) == 0 {
			b = mutatePEP440(random, a)
		}
		pairs = append(pairs, [2]string{a, b})
		fmt.Fprintf(&input, "%s\t%s\n", a, b)
	}
	cmd := exec.Command(python, "-c", pythonSays)
	cmd.Stdin = strings.NewReader(input.String())
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() == 3 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs Python's module packaging, and CI must have it")
		}
		t.Skip("this test needs Python's module packaging")
	}
	require.NoError(t, err)
	lines := strings.Fields(string(out))
	require.Len(t, lines, len(pairs))
	count := make(map[string]int)
	for i, pair := range pairs {
		got := "invalid"
		if c, err := version.Compare(pep440(pair[0]), pep440(pair[1])); err == nil {
			got = fmt.Sprint(sign(c))
		}
		require.Equal(t, lines[i], got, "%q against %q", pair[0], pair[1])
		count[got]++
	}
	for _, end := range []string{"invalid", "-1", "0", "1"} {
		require.Greater(t, count[end], 200, "too few pairs end with %s: %v", end, count)
	}
}

func randomPEP440(random *rand.Rand) string {
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	s := one("", "", "", "v", "1!", "V0!") + one("0", "1", "1.0", "1.2", "01.10", "1.0.0")
	s += one("", "", "a", "-alpha.1", ".b_2", "C3", "rc", "pre", "-preview0", "_a-")
	s += one("", "", ".post", "-1", "-0", "r2", "_rev-3", "post_1", "-post.")
	s += one("", "", ".dev", "dev1", "-DEV-0", "_dev_2")
	return s + one("", "", "", "+a", "+1", "+a.1", "+1-B", "+ubuntu_1.10")
}

func mutatePEP440(random *rand.Rand, text string) string {
	i := random.IntN(len(text))
	piece := []string{"", "0", "1", ".", "-", "_", "a", "r", "dev", "post", "+", " ", "!"}[random.IntN(13)]
	return text[:i] + piece + text[i+random.IntN(2):]
}

func FuzzPEP440(f *testing.F) {
	f.Add("1!2.0a1.post2.dev3+local.4", "v1.0-1", "1.0.dev")
	f.Add("1+a", "1+A.b", "1+a.1")
	f.Add("1."+strings.Repeat("9", 1000), "1.1"+strings.Repeat("0", 1000), strings.Repeat("0", 1000)+"!1.0")
	f.Add("1a"+strings.Repeat("9", 1000), "1+1"+strings.Repeat("0", 1000), "1.dev"+strings.Repeat("9", 999))
	read, form := pepReader(), regexp.MustCompile(pepForm)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		ascii := strings.IndexFunc(a, func(r rune) bool { return r > 0x7f }) < 0 // Go folds some letters beyond
		_, err := version.Parse(version.PEP440, a)
		require.False(t, ascii && form.MatchString(a) != (err == nil), "%q: %v", a, err)
		checkOrder(t, version.PEP440, pepReference(read), a, b, c)
	})
}
