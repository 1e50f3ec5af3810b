package version_test

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

func arch(text string) version.Version { return version.Version{Scheme: version.Arch, Text: text} }

func TestArchVectors(t *testing.T) {
	checkVectors(t, "testdata/arch.tsv", version.Arch, 9)
}

// Pacman compares pkgrels only where both sides have one. So a row says the same of two versions with one pkgrel.
func TestArchSharedVectors(t *testing.T) {
	f, err := os.Open(filepath.Join(need.Shared(t), "vectors", "arch.tsv"))
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); rows++ {
		cols := strings.Split(lines.Text(), "\t")
		a, arel, afound := strings.Cut(cols[0], "-")
		b, brel, bfound := strings.Cut(cols[2], "-")
		switch {
		case !afound && !bfound:
			arel, brel = "1", "1"
		case !afound:
			arel = brel
		case !bfound:
			brel = arel
		}
		got, err := version.Compare(arch(a+"-"+arel), arch(b+"-"+brel))
		require.NoError(t, err, lines.Text())
		require.Equal(t, strings.Index("<=>", cols[1])-1, sign(got), lines.Text())
	}
	require.Equal(t, 46, rows)
}

func TestArchGrammar(t *testing.T) {
	for _, text := range []string{"0-0", "1:1-1", "01.0-1.1", "r12.gabc-1", "_1-1", "1__2-1", "20240101+1~a-1"} {
		_, err := version.Parse(version.Arch, text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{
		"", "1", "1:1", "1-", "-1", "1:-1", ":1-1", "a:1-1", "1:1:1-1", "1-1:1", "1-1-1", "1.-1", "1-1.", "_-1", "1-_", "1 2-1", " 1-1", "1-1\n", "1é-1",
	} {
		_, err := version.Parse(version.Arch, text)
		require.ErrorIs(t, err, version.ErrSyntax, "%q", text)
	}
}

// Why a trailing separator is refused: these three pairs, which vercmp answers, go round in a circle.
func TestArchNeedsItsRulesToBeAnOrder(t *testing.T) {
	tool := need.Tool(t, "vercmp")
	for _, pair := range [][2]string{{"1..a", "1."}, {"1.", "1.1"}, {"1.1", "1..a"}} {
		require.Equal(t, "-1", vercmp(t, tool, pair[0], pair[1]), pair)
	}
	require.Equal(t, "0", vercmp(t, tool, "1.5", "1.5-1"))
	require.Equal(t, "0", vercmp(t, tool, "1.5", "1.5-2"))
	require.Equal(t, "-1", vercmp(t, tool, "1.5-1", "1.5-2"))
}

// Pacman answers itself: random pairs, which share much of their text.
func TestArchAgreesWithVercmp(t *testing.T) {
	tool := need.Tool(t, "vercmp")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const chars = "00129aabZ..__+~"
	compared := 0
	for range 500 {
		text := []byte([]string{"", "", "0:", "1:", "01:"}[random.IntN(5)])
		for range 1 + random.IntN(6) {
			text = append(text, chars[random.IntN(len(chars))])
		}
		a := string(text) + []string{"-1", "-2", "-1.1", "-01"}[random.IntN(4)]
		b := mutateRPM(random, a)
		got, err := version.Compare(arch(a), arch(b))
		if err != nil {
			require.ErrorIs(t, err, version.ErrSyntax)
			continue
		}
		compared++
		require.Equal(t, vercmp(t, tool, a, b), strconv.Itoa(sign(got)), "%s and %s", a, b)
	}
	require.Greater(t, compared, 100, "too few of the random pairs are versions")
}

func vercmp(t *testing.T, tool, a, b string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool, a, b).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// archReference compares as vercmp is described: part by part, in each part separators and segments in turn.
func archReference(a, b string) int {
	split := func(s string) (epoch, pkgver, pkgrel string) {
		epoch = "0"
		if e, rest, found := strings.Cut(s, ":"); found {
			epoch, s = e, rest
		}
		pkgver, pkgrel, _ = strings.Cut(s, "-")
		return epoch, pkgver, pkgrel
	}
	ae, av, ar := split(a)
	be, bv, br := split(b)
	for _, part := range [][2]string{{ae, be}, {av, bv}, {ar, br}} {
		if c := archReferencePart(archSegments(part[0]), archSegments(part[1])); c != 0 {
			return c
		}
	}
	return 0
}

type archSegment struct {
	after  int // separators before it
	text   string
	letter bool
}

func archSegments(s string) (all []archSegment) {
	isNumber := func(c byte) bool { return '0' <= c && c <= '9' }
	for s != "" {
		var next archSegment
		for !isAlpha(s[0]) && !isNumber(s[0]) {
			next.after, s = next.after+1, s[1:]
		}
		next.letter = isAlpha(s[0])
		for s != "" && (next.letter && isAlpha(s[0]) || !next.letter && isNumber(s[0])) {
			next.text, s = next.text+s[:1], s[1:]
		}
		all = append(all, next)
	}
	return all
}

func archReferencePart(a, b []archSegment) int {
	// What letters at once beat: nothing at all. Everything else that is left over is newer.
	over := func(s archSegment) int {
		if s.letter && s.after == 0 {
			return -1
		}
		return 1
	}
	for i := range max(len(a), len(b)) {
		switch {
		case i == len(a):
			return -over(b[i])
		case i == len(b):
			return over(a[i])
		case a[i].after != b[i].after:
			return sign(a[i].after - b[i].after)
		case a[i].letter != b[i].letter:
			if a[i].letter {
				return -1
			}
			return 1
		}
		x, y := a[i].text, b[i].text
		if !a[i].letter {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return sign(len(x) - len(y))
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// Every version of up to three pieces against every other one.
func TestArchOrdersAllSmallVersions(t *testing.T) {
	var texts []string
	for _, text := range pieces(3, "0", "1", "10", "a", "b", ".", "_") {
		texts = append(texts, text+"-1", "1-"+text)
	}
	checkAllPairs(t, version.Arch, texts, 400, archReference)
}

func FuzzArch(f *testing.F) {
	f.Add("1.0a-1", "1.0-1", "1.0.a-1")
	f.Add("1:2___a-1", "1:2_a-1", "2_0-1.1")
	f.Add(strings.Repeat("9", 1000)+"-1", "1"+strings.Repeat("0", 1000)+"-1", strings.Repeat("_", 1000)+"1-1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.Arch, archReference, a, b, c)
	})
}

func BenchmarkArchAppendKey(b *testing.B) {
	v := arch("1:6.1.12.arch1-1")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}
