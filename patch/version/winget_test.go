package version_test

import (
	"cmp"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func winget(text string) version.Version { return version.Version{Scheme: version.WinGet, Text: text} }

func TestWinGetVectors(t *testing.T) {
	checkVectors(t, "testdata/winget.tsv", version.WinGet, 37)
}

func TestWinGetSharedVectors(t *testing.T) {
	checkVectors(t, filepath.Join(need.Shared(t), "vectors", "winget.tsv"), version.WinGet, 37)
}

// checkSorted requires that versions stand from the oldest to the newest, those on one line being equal.
func checkSorted(t *testing.T, s version.Scheme, lines [][]string) {
	t.Helper()
	for i, as := range lines {
		for j, bs := range lines {
			for _, a := range as {
				for _, b := range bs {
					got, err := version.Compare(version.Version{Scheme: s, Text: a}, version.Version{Scheme: s, Text: b})
					require.NoError(t, err)
					require.Equal(t, sign(i-j), sign(got), "%q against %q", a, b)
				}
			}
		}
	}
}

// checkGrammar requires that those texts are versions and others are none, for the reason that stands there.
func checkGrammar(t *testing.T, s version.Scheme, good []string, bad map[string]string) {
	t.Helper()
	for _, text := range good {
		_, err := version.Parse(s, text)
		require.NoError(t, err)
	}
	for text, why := range bad {
		_, err := version.Parse(s, text)
		require.ErrorIs(t, err, version.ErrSyntax, "%q", text)
		require.ErrorContains(t, err, why, "%q", text)
	}
}

func TestWinGetOrder(t *testing.T) {
	checkSorted(t, version.WinGet, [][]string{
		{"Unknown", "UNKNOWN", " unknown\t", "unknown.0.0", "0Unknown"},
		{"alpha"}, {"Beta"}, {"zeta.1"},
		{"0.-rc"}, {"0.0.-rc"}, {"0", ".", "0.0", "x0"}, {"0.0.1"}, {"0.1-a"}, {"0.1"},
		{"1-rc"}, {"1.0-rc", "1.000-rc"}, {"1.-rc.9"}, {"1.0.0-rc"},
		{"< 1.0", "<  v1"}, {"1.0", "1", "v1", "Version 1.0.0", "1. 0", "1.0.", "<1", "+1", "b1"}, {"> 1.0"},
		{"1.0.0.1-a"}, {"1.0.0.1-a.5"}, {"1.0.0.1-a !"}, {"1.0.0.1-A-"}, {"1.0.0.1-a@"}, {"1.0.0.1-a["}, {"1.0.0.1-AA"}, {"1.0.0.1-a~"}, {"1.0.0.1"}, {"1.0.1"}, {"1.2 "}, {"1.10-beta"}, {"1.10-BETA2", "1.10-beta2"}, {"1.10"},
		{"18446744073709551615", "x18446744073709551615"}, {"< Latest"}, {"latest", "LATEST.0", "0latest"}, {"> latest"},
	})
	// What follows is no order anyone wants, but winget's: a number beyond 64 bits is a text, and a minus counts from above.
	checkSorted(t, version.WinGet, [][]string{{"1.18446744073709551616"}, {"1"}, {"1.18446744073709551610"}, {"1.-5"}, {"1.-1"}})
}

func TestWinGetGrammar(t *testing.T) {
	checkGrammar(t, version.WinGet,
		[]string{"-", "<", "1.0 (x64)", "é1.0", "v.2.6.0", "1..2"},
		map[string]string{
			"": "it is empty", " \t": "it is empty", "1.0\x00": "a control character", "1.a\tb": "a control character", "1.0é": "beyond ASCII", "1.\x7f1": "a control character",
			"< unknown": "nothing approximates the unknown", "> Unknown.0": "nothing approximates the unknown",
		})
}

// A wingetPart is a part as winget-cli reads it.
type wingetPart struct {
	number uint64
	text   string
}

// wingetReference compares two versions part by part, padding the shorter one.
func wingetReference(a, b string) int {
	read := func(s string) (parts []wingetPart, about int) {
		const blanks = " \f\n\r\t\v"
		if s = strings.Trim(s, blanks); strings.HasPrefix(s, "< ") {
			about, s = -1, s[2:]
		} else if strings.HasPrefix(s, "> ") {
			about, s = 1, s[2:]
		}
		digit, dot := strings.IndexAny(s, "0123456789"), strings.Index(s, ".")
		if digit >= 0 && (dot < 0 || digit < dot) {
			s = s[digit:]
		}
		for _, part := range strings.Split(s, ".") {
			part = strings.Trim(part, blanks)
			unsigned := part
			if part != "" && strings.Contains("+-", part[:1]) {
				unsigned = part[1:]
			}
			after := strings.TrimLeft(unsigned, "0123456789")
			n, err := strconv.ParseUint(unsigned[:len(unsigned)-len(after)], 10, 64)
			switch {
			case err != nil:
				n, after = 0, part
			case part[0] == '-':
				n = math.MaxUint64 - n + 1
			}
			parts = append(parts, wingetPart{n, strings.ToLower(after)})
		}
		for len(parts) > 0 && parts[len(parts)-1] == (wingetPart{}) {
			parts = parts[:len(parts)-1]
		}
		return parts, about
	}
	class := func(parts []wingetPart) int {
		switch {
		case len(parts) == 1 && parts[0] == wingetPart{0, "latest"}:
			return 1
		case len(parts) == 1 && parts[0] == wingetPart{0, "unknown"}:
			return -1
		}
		return 0
	}
	ap, aa := read(a)
	bp, ba := read(b)
	if c := cmp.Compare(class(ap), class(bp)); c != 0 {
		return c
	}
	for len(ap) < len(bp) {
		ap = append(ap, wingetPart{})
	}
	for len(bp) < len(ap) {
		bp = append(bp, wingetPart{})
	}
	for i, x := range ap {
		y := bp[i]
		switch {
		case x.number != y.number:
			return cmp.Compare(x.number, y.number)
		case x.text == y.text:
		case x.text == "":
			return 1
		case y.text == "":
			return -1
		default:
			return strings.Compare(x.text, y.text)
		}
	}
	return cmp.Compare(aa, ba)
}

func TestWinGetOrdersAllSmallVersions(t *testing.T) {
	checkAllPairs(t, version.WinGet, pieces(3, "0", "1", ".", " ", "latest", "Unknown", "< ", "> "), 400, wingetReference)
	checkAllPairs(t, version.WinGet, pieces(5, "0", "1", ".", "-a"), 1000, wingetReference)
}

func FuzzWinGet(f *testing.F) {
	f.Add("1.0-rc", "v1.0.0", "> 1")
	f.Add("1."+strings.Repeat("9", 1000), "Latest", "unknown")
	f.Add("1..-5.@", "1.0.+5 X", "1.0.[_`{|}~")
	f.Add(strings.Repeat("0.", 100)+"a", strings.Repeat("0.", 100)+"1", strings.Repeat("0.", 99)+"1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.WinGet, wingetReference, a, b, c)
	})
}
