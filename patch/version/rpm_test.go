package version_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func rpm(text string) version.Version { return version.Version{Scheme: version.RPM, Text: text} }

// The rows are those of rpm's own tests and of osv-scalibr, without 26 whose texts are refused here: epochs that are no
// numbers, and releases that are empty, which rpm would not build.
func TestRPMVectors(t *testing.T) {
	checkVectors(t, "testdata/rpm.tsv", version.RPM, 227)
}

func TestRPMSharedVectors(t *testing.T) {
	f, err := os.Open(filepath.Join(need.Shared(t), "vectors", "rpm.tsv"))
	require.NoError(t, err)
	defer f.Close()
	kept, refused := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		got, err := version.Compare(rpm(cols[0]), rpm(cols[2]))
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			require.Contains(t, cols[3], "osv-scalibr", "a row of rpm itself is refused: %v", err)
			refused++
			continue
		}
		require.Equal(t, strings.Index("<=>", cols[1])-1, sign(got), lines.Text())
		kept++
	}
	require.Equal(t, []int{227, 26}, []int{kept, refused})
}

func TestRPMGrammar(t *testing.T) {
	for _, text := range []string{"1", "0:1-1", "1.0-1.el9", "1~rc1-1", "1^git1-0", "007:1", "4294967295:1", "~", "1.1.α", "2_0"} {
		_, err := version.Parse(version.RPM, text)
		require.NoError(t, err, text)
	}
	for text, why := range map[string]string{
		"": "the version is empty", ":1": "the epoch is no number", "1:": "the version is empty", "(none):1-1": "the epoch is no number",
		"a:1": "the epoch is no number", "4294967296:1": "the epoch is too big", "12345678901:1": "the epoch is too big", "-1": "the version is empty", "1-": "the release is empty",
		"1-2-3": "more than one hyphen", "1:2:3": "a colon after the epoch", "1-2:3": "the epoch is no number", "1 2": "a blank", "1\n": "a blank", "1\x7f": "control",
	} {
		_, err := version.Parse(version.RPM, text)
		require.ErrorIs(t, err, version.ErrSyntax, "%q", text)
		require.ErrorContains(t, err, why, "%q", text)
	}
}

func TestRPMOrderOfEpochAndRelease(t *testing.T) {
	order := []string{"9-9", "1:1~rc1-1", "1:1", "1:1-~1", "1:1-.", "1:1-0", "1:1-1", "1:1^post-1", "1:1.a-1", "1:1.0-1", "2:0"}
	for i := range order {
		for j := range order {
			got, err := version.Compare(rpm(order[i]), rpm(order[j]))
			require.NoError(t, err)
			require.Equal(t, sign(i-j), sign(got), "%s and %s", order[i], order[j])
		}
	}
}

// Rpm answers itself: random pairs, which share much of their text, with and without epoch and release.
func TestRPMAgreesWithRPM(t *testing.T) {
	tool := need.Tool(t, "rpm")
	random := rand.New(rand.NewPCG(11, 12))
	const pairs = 4000
	var lines strings.Builder
	var texts [][2]string
	for range pairs {
		a := randomRPM(random)
		b := mutateRPM(random, a)
		if _, err := version.Compare(rpm(a), rpm(b)); err != nil {
			continue
		}
		texts = append(texts, [2]string{a, b})
		fmt.Fprintf(&lines, "%s %s\n", a, b)
	}
	file := filepath.Join(t.TempDir(), "pairs")
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o600))
	script := `%{lua: for line in io.lines("` + file + `") do local a, b = line:match("(%S+) (%S+)") print(rpm.vercmp(a, b) .. " ") end}`
	out, err := exec.CommandContext(t.Context(), tool, "--eval", script).CombinedOutput()
	require.NoError(t, err, "%.500s", out)
	answers := strings.Fields(string(bytes.TrimSpace(out)))
	require.Len(t, answers, len(texts))
	require.Greater(t, len(texts), pairs/2)
	for i, x := range texts {
		got, err := version.Compare(rpm(x[0]), rpm(x[1]))
		require.NoError(t, err)
		require.Equal(t, answers[i], fmt.Sprint(sign(got)), "%s and %s", x[0], x[1])
	}
}

func randomRPM(random *rand.Rand) string {
	const chars = "0019a1zB.+~^_"
	var b strings.Builder
	for range 1 + random.IntN(8) {
		b.WriteByte(chars[random.IntN(len(chars))])
	}
	if random.IntN(3) == 0 {
		b.WriteByte('-')
		b.WriteByte(chars[random.IntN(len(chars))])
	}
	return []string{"", "", "0:", "1:"}[random.IntN(4)] + b.String()
}

func mutateRPM(random *rand.Rand, text string) string {
	const chars = "019azB.~^+-"
	b := []byte(text)
	for range 1 + random.IntN(2) {
		i := random.IntN(len(b) + 1)
		c := chars[random.IntN(len(chars))]
		if random.IntN(2) == 0 && i < len(b) {
			b[i] = c
			continue
		}
		b = append(b[:i], append([]byte{c}, b[i:]...)...)
	}
	return string(b)
}

// rpmReference compares one part the way rpmvercmp is described: segment by segment.
func rpmReference(a, b string) int {
	separator := func(s string) string {
		return strings.TrimLeftFunc(s, func(r rune) bool {
			return !(r == '~' || r == '^' || r < 0x80 && (isAlpha(byte(r)) || '0' <= r && r <= '9'))
		})
	}
	segment := func(s string, in func(byte) bool) (string, string) {
		i := 0
		for i < len(s) && in(s[i]) {
			i++
		}
		return s[:i], s[i:]
	}
	for {
		a, b = separator(a), separator(b)
		for _, mark := range []string{"~", "^"} {
			x, y := strings.HasPrefix(a, mark), strings.HasPrefix(b, mark)
			switch {
			case x && y:
				return rpmReference(a[1:], b[1:])
			case mark == "~" && x, mark == "^" && y && a == "", mark == "^" && x && b != "":
				return -1
			case mark == "~" && y, mark == "^" && x && b == "", mark == "^" && y && a != "":
				return 1
			}
		}
		if a == "" || b == "" {
			return sign(len(a) - len(b))
		}
		in, numbers := isAlpha, false
		if '0' <= a[0] && a[0] <= '9' {
			in, numbers = func(c byte) bool { return '0' <= c && c <= '9' }, true
		}
		var x, y string
		x, a = segment(a, in)
		y, b = segment(b, in)
		switch {
		case y == "" && numbers:
			return 1
		case y == "":
			return -1
		case numbers:
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return sign(len(x) - len(y))
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
}

// rpmReferenceEVR compares whole versions: epoch, version, and release, of which none is older than any.
func rpmReferenceEVR(a, b string) int {
	split := func(s string) (epoch, ver, release string, released bool) {
		epoch = "0"
		if e, rest, found := strings.Cut(s, ":"); found {
			epoch, s = e, rest
		}
		ver, release, released = strings.Cut(s, "-")
		return epoch, ver, release, released
	}
	ae, av, ar, areleased := split(a)
	be, bv, br, breleased := split(b)
	if c := rpmReference(ae, be); c != 0 {
		return c
	}
	if c := rpmReference(av, bv); c != 0 {
		return c
	}
	switch {
	case areleased && !breleased:
		return 1
	case breleased && !areleased:
		return -1
	}
	return rpmReference(ar, br)
}

func TestRPMOrdersAllSmallVersions(t *testing.T) {
	checkAllPairs(t, version.RPM, pieces(3, "0", "1", "a", ".", "~", "^", "-", "1:", "-01"), 400, rpmReferenceEVR)
}

func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func FuzzRPM(f *testing.F) {
	f.Add("1.0~rc1", "1.0", "1.0^git")
	f.Add("2_0", "2.0.", "2a")
	f.Add("1", "0:1-~1", "1:1-1.el9")
	f.Add(strings.Repeat("9", 1000), "1"+strings.Repeat("0", 1000), "^^~")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.RPM, rpmReferenceEVR, a, b, c)
	})
}

// checkOrder requires that the keys of texts, if all are versions, order them as reference does, that no key begins another,
// and that Compare says what keys say.
func checkOrder(t *testing.T, s version.Scheme, reference func(a, b string) int, texts ...string) {
	t.Helper()
	for _, a := range texts {
		for _, b := range texts {
			requireCompare(t, s, a, b)
		}
	}
	var keys []string
	for _, text := range texts {
		key, err := version.Version{Scheme: s, Text: text}.Key()
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			return
		}
		for _, r := range []byte(key) {
			require.True(t, ' ' < r && r < 0x7f, "key %q is not printable ASCII", key)
		}
		keys = append(keys, string(key))
	}
	for i := range texts {
		for j := range texts {
			got := strings.Compare(keys[i], keys[j])
			require.Equal(t, sign(reference(texts[i], texts[j])), got, "%q against %q", texts[i], texts[j])
			require.False(t, keys[i] != keys[j] && strings.HasPrefix(keys[i], keys[j]), "the key of %q begins with that of %q", texts[i], texts[j])
		}
	}
}

func BenchmarkRPMAppendKey(b *testing.B) {
	v := rpm("1:3.0.7-16.el9_2.1")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRPMCompareKeys(b *testing.B) {
	x, _ := rpm("1:3.0.7-16.el9_2").Key()
	y, _ := rpm("1:3.0.7-17.el9_2").Key()
	b.ReportAllocs()
	for b.Loop() {
		if x >= y {
			b.Fatal("wrong order")
		}
	}
}
