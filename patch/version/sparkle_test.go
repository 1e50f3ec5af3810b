package version_test

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func TestSparkleVectors(t *testing.T) {
	checkVectors(t, "testdata/sparkle.tsv", version.Sparkle, 44)
}

func TestSparkleSharedVectors(t *testing.T) {
	shared := need.Shared(t)
	checkVectors(t, filepath.Join(shared, "vectors", "macos-sparkle.tsv"), version.Sparkle, 44)
	checkVectors(t, filepath.Join(shared, "vectors", "macos-munki.tsv"), version.Sparkle, 2)
}

func TestSparkleOrder(t *testing.T) {
	var separated []string
	for _, c := range " !\"#%&'()*,/:;?@[\\]_{}" {
		separated = append(separated, "1.0"+string(c))
	}
	checkSorted(t, version.Sparkle, [][]string{
		{"$"}, {"+"}, {"<"}, {"="}, {">"}, {"B"}, {"^"}, {"`"}, {"b"}, {"b 1", "b.1"}, {"b1"}, {"b2"}, {"|"}, {"~"}, {"0", "0.0", "00."}, {"0.0.1a"}, {"0.0.1"},
		{"1.0$"}, {"1.0B"}, {"1.0a", "1a-7"}, {"1.0a0.0"}, {"1.0a1"}, {"1.0a1.0"}, {"1.0a10", "1.0.0a10"}, {"1.0ab"},
		{"1", "1.", "1.0", "01.00.", "1-2", "1.0-é"}, {"1.0 b"}, separated, {"1.0 (2)", "1 [2]"}, {"1.0 (10)"}, {"1.0.1"}, {"2"},
		{"9223372036854775806"}, {"9223372036854775807", "9223372036854775808", "20000000000000000000", "99999999999999999999"},
	})
}

func TestSparkleGrammar(t *testing.T) {
	checkGrammar(t, version.Sparkle, []string{"v1.0", " 1", "1 ..", "1a..2", "1-\x00", "=2"}, map[string]string{
		"": "it is empty", "-1": "starts with a hyphen", ".5": "or a dot", "1..2": "two dots", "1.0..": "two dots", "1.0é": "beyond ASCII", "1\t0": "a control character", "\x7f": "a control character",
	})
}

// A sparkleToken is a part as SUStandardVersionComparator makes them: kind is 'n', 's' or '-' for any separator, but '.' for a dot.
type sparkleToken struct {
	kind byte
	text string
}

func sparkleTokens(s string) (all []sparkleToken) {
	for i, r := range s {
		kind := byte('s')
		switch {
		case r == '-':
			return all
		case r == '.':
			kind = '.'
		case unicode.IsDigit(r):
			kind = 'n'
		case unicode.IsSpace(r) || unicode.IsPunct(r):
			kind = '-'
		}
		if n := len(all); n > 0 && all[n-1].kind == kind && (kind == 'n' || kind == 's') {
			all[n-1].text += string(r)
			continue
		}
		all = append(all, sparkleToken{kind, s[i : i+1]})
	}
	return all
}

// sparkleReference compares two versions as SUStandardVersionComparator does: it fills in zeros for this pair alone, and then looks at
// the parts.
func sparkleReference(a, b string) int {
	x, y := sparkleTokens(a), sparkleTokens(b)
	regular := func(all []sparkleToken) int {
		n := slices.IndexFunc(all, func(t sparkleToken) bool { return t.kind != 'n' && t.kind != '.' })
		if n < 0 {
			return len(all)
		}
		return n
	}
	fill := func(to, from []sparkleToken) []sparkleToken {
		for i := regular(to); i < regular(from); i++ {
			zero := sparkleToken{'n', "0"}
			if from[i].kind == '.' {
				zero = sparkleToken{'.', "."}
			}
			to = slices.Insert(to, i, zero)
		}
		return to
	}
	x = fill(x, y)
	y = fill(y, x)
	rank := func(t sparkleToken) int {
		return strings.IndexByte("s -n", strings.Replace(string(t.kind), ".", "-", 1)[0])
	}
	const end = 1
	for i := range min(len(x), len(y)) {
		if c := cmp.Compare(rank(x[i]), rank(y[i])); c != 0 {
			return c
		}
		c := 0
		switch x[i].kind {
		case 'n':
			m, _ := strconv.ParseInt(x[i].text, 10, 64) // of a greater number it is the greatest
			n, _ := strconv.ParseInt(y[i].text, 10, 64)
			c = cmp.Compare(m, n)
		case 's':
			c = strings.Compare(x[i].text, y[i].text)
		}
		if c != 0 {
			return c
		}
	}
	switch {
	case len(x) > len(y):
		return cmp.Compare(rank(x[len(y)]), end)
	case len(y) > len(x):
		return cmp.Compare(end, rank(y[len(x)]))
	}
	return 0
}

func TestSparkleOrdersAllSmallVersions(t *testing.T) {
	checkAllPairs(t, version.Sparkle, pieces(4, "0", "1", ".", "a", " "), 500, sparkleReference)
	checkAllPairs(t, version.Sparkle, pieces(3, "1", ".", "a", "$", "_", " ", "-"), 200, sparkleReference)
}

// Without the rules about the beginning there is no order: 1 equals both, and they differ.
func TestSparkleNeedsItsRulesToBeAnOrder(t *testing.T) {
	if sparkleReference("1", "1.0") != 0 || sparkleReference("1", "1..0") != 0 || sparkleReference("1.0", "1..0") == 0 {
		t.Fatal("two dots would do no harm")
	}
}

func FuzzSparkle(f *testing.F) {
	f.Add("1.0b1 (1234)", "1.0", "1.0.0-abc")
	f.Add("1."+strings.Repeat("9", 1000), "1.1"+strings.Repeat("0", 1000), "1."+strings.Repeat("0", 1000))
	f.Add("9223372036854775807", "9223372036854775808", "92233720368547758060")
	f.Add("v1~2|3^4`5", "1.a!b\"c#d%e&f'g(h)", "1.a*b+c,d/e:f;g<h=i>j?k@l[m\\n]o_p{q}")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.Sparkle, sparkleReference, a, b, c)
	})
}
