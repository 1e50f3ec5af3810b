package version_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func apk(text string) version.Version { return version.Version{Scheme: version.APK, Text: text} }

func TestAPKVectors(t *testing.T) {
	checkAPKVectors(t, "testdata/apk.tsv")
	checkAPKInvalid(t, "testdata/apk-invalid.txt")
}

func TestAPKSharedVectors(t *testing.T) {
	shared := need.Shared(t)
	checkAPKVectors(t, filepath.Join(shared, "vectors", "apk.tsv"))
	checkAPKInvalid(t, filepath.Join(shared, "vectors", "apk-invalid.txt"))
}

// Of the 1,474 rows, 39 have a text that apk-tools 3 takes for invalid, although it would say how far two of them agree: two
// letters ("1.0bc"), a number after a letter ("6.6.2p1"), numbers left out ("0...8"), unknown suffixes ("23_foo"), revisions
// of another form ("1-ruff1", "0.r1"), upper case ("1.2.0A"), no number at all ("a").
func checkAPKVectors(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	kept, refused := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		got, err := version.Compare(apk(cols[0]), apk(cols[2]))
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			refused++
			continue
		}
		require.Equal(t, strings.Index("<=>", cols[1])-1, sign(got), lines.Text())
		kept++
	}
	require.Equal(t, []int{1435, 39}, []int{kept, refused})
}

func checkAPKInvalid(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); rows++ {
		_, err := version.Parse(version.APK, lines.Text())
		require.ErrorIs(t, err, version.ErrSyntax, "%q", lines.Text())
	}
	require.Equal(t, 24, rows)
}

func TestAPKGrammar(t *testing.T) {
	for _, text := range []string{"0", "007", "1.0.00", "1a", "1.2z_rc", "1_p0_git20240101", "1~0af", "1-r0", "1.2b_alpha1_p2~00ff-r10"} {
		_, err := version.Parse(version.APK, text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{
		"", "1.", "1..2", "1A", "1ab", "1a.1", "3.3.3p1-r3", "1_", "1_a", "1_al", "1_alphab", "1_c", "1_RC", "1_p.1", "1~", "1~0AF", "1~g", "1-r", "1-1", "1-r1-r1", "1-r1_p1",
		"1-r1~0", "1:1", "1 ", " 1", "1\n", "1é",
	} {
		_, err := version.Parse(version.APK, text)
		require.ErrorIs(t, err, version.ErrSyntax, "%q", text)
	}
}

func TestAPKRanksWhatFollows(t *testing.T) {
	// From the oldest to the newest; those on one line are equal.
	order := [][]string{
		{"1_alpha"}, {"1_alpha0", "1_alpha00"}, {"1_alpha2"}, {"1_alpha10"}, {"1_alpha_p"}, {"1_beta"}, {"1_pre"}, {"1_rc"}, {"1", "01"}, {"1-r0", "1-r00"}, {"1-r1"},
		{"1~0"}, {"1~00"}, {"1~a"}, {"1_cvs"}, {"1_svn"}, {"1_git"}, {"1_hg"}, {"1_p"}, {"1a"}, {"1.0"}, {"1.00"}, {"1.01"}, {"1.010"}, {"1.09"}, {"1.1"}, {"1.9"}, {"1.10"}, {"2"},
	}
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					got, err := version.Compare(apk(a), apk(b))
					require.NoError(t, err)
					require.Equal(t, sign(i-j), sign(got), "%s and %s", a, b)
				}
			}
		}
	}
}

// An apkToken is an element of a version. Kinds are in apk's order: of two that differ the lower is newer.
type apkToken struct {
	kind int
	text string
}

const (
	apkFirst = iota
	apkNumber
	apkLetter
	apkSuffix
	apkSuffixNumber
	apkHash
	apkRevision
	apkEnd
)

// apkReference compares element by element. Both texts must be versions.
func apkReference(a, b string) int {
	suffixes := []string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"}
	rank := func(t apkToken) int { return slices.Index(suffixes, t.text) - 4 }
	number := func(a, b string) int {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return sign(len(a) - len(b))
		}
		return strings.Compare(a, b)
	}
	as, bs := apkTokens(a), apkTokens(b)
	for i := range as {
		x, y := as[i], bs[i]
		c := 0
		switch {
		case x.kind != y.kind && x.kind == apkSuffix && rank(x) < 0:
			return -1
		case x.kind != y.kind && y.kind == apkSuffix && rank(y) < 0:
			return 1
		case x.kind != y.kind:
			return sign(y.kind - x.kind)
		case x.kind == apkSuffix:
			c = sign(rank(x) - rank(y))
		case x.kind == apkNumber && x.text[0] != '0' && y.text[0] != '0', x.kind == apkFirst, x.kind == apkSuffixNumber, x.kind == apkRevision:
			c = number(x.text, y.text)
		default:
			c = strings.Compare(x.text, y.text)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func apkTokens(s string) (all []apkToken) {
	take := func(kind, skip int, in string) {
		rest := strings.TrimLeft(s[skip:], in)
		all = append(all, apkToken{kind, s[skip : len(s)-len(rest)]})
		s = rest
	}
	const numbers, small = "0123456789", "abcdefghijklmnopqrstuvwxyz"
	take(apkFirst, 0, numbers)
	for s != "" {
		switch last := all[len(all)-1].kind; {
		case s[0] == '.':
			take(apkNumber, 1, numbers)
		case s[0] == '_':
			take(apkSuffix, 1, small)
		case s[0] == '~':
			take(apkHash, 1, numbers+small)
		case s[0] == '-':
			take(apkRevision, 2, numbers)
		case last == apkSuffix:
			take(apkSuffixNumber, 0, numbers)
		default:
			take(apkLetter, 0, small)
		}
	}
	return append(all, apkToken{kind: apkEnd})
}

// Every version of up to three pieces against every other one.
func TestAPKOrdersAllSmallVersions(t *testing.T) {
	var texts []string
	for _, text := range pieces(3, ".0", ".1", ".01", ".10", "a", "_rc", "_p", "2", "~a", "-r1") {
		texts = append(texts, "1"+text)
	}
	checkAllPairs(t, version.APK, texts, 300, apkReference)
}

// pieces returns all texts of one to n pieces.
func pieces(n int, all ...string) []string {
	texts, last := []string{}, []string{""}
	for range n {
		var next []string
		for _, text := range last {
			for _, piece := range all {
				next = append(next, text+piece)
			}
		}
		texts, last = append(texts, next...), next
	}
	return texts
}

// checkAllPairs requires that the keys of those texts that are versions, least at least, order all pairs as reference does,
// and that no key begins another.
func checkAllPairs(t *testing.T, s version.Scheme, texts []string, least int, reference func(a, b string) int) {
	t.Helper()
	var valid, keys []string
	for _, text := range texts {
		if key, err := (version.Version{Scheme: s, Text: text}).Key(); err == nil {
			valid, keys = append(valid, text), append(keys, string(key))
		}
	}
	require.GreaterOrEqual(t, len(valid), least)
	for i, a := range keys {
		for j, b := range keys {
			if got, want := strings.Compare(a, b), reference(valid[i], valid[j]); got != want {
				require.Equal(t, want, got, "%q against %q", valid[i], valid[j])
			}
			if a != b && strings.HasPrefix(a, b) {
				require.Fail(t, "the key of one begins with that of the other", "%q, %q", valid[i], valid[j])
			}
		}
	}
}

func FuzzAPK(f *testing.F) {
	f.Add("1.2.3_rc1-r0", "1.2.3-r0", "1.2.3_p1")
	f.Add("1.02", "1.2", "1.002a")
	f.Add("1~0af3", "1~0a-r1", "1_git20240101")
	f.Add("1."+strings.Repeat("9", 1000), "1.1"+strings.Repeat("0", 1000), "1."+strings.Repeat("0", 1000))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.APK, apkReference, a, b, c)
	})
}

func BenchmarkAPKAppendKey(b *testing.B) {
	v := apk("1.36.1_rc2_git20240101-r15")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}
