package version_test

import (
	"bufio"
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

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// checkVectors compares every row of a file of vectors both ways, through Compare and through keys.
func checkVectors(t *testing.T, file string, scheme version.Scheme, least int) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); rows++ {
		cols := strings.Split(lines.Text(), "\t")
		require.GreaterOrEqual(t, len(cols), 3, "%s: row %d", file, rows+1)
		a, b := version.Version{Scheme: scheme, Text: cols[0]}, version.Version{Scheme: scheme, Text: cols[2]}
		want := strings.Index("<=>", cols[1]) - 1
		got, err := version.Compare(a, b)
		require.NoError(t, err, "%s: row %d", file, rows+1)
		require.Equal(t, want, sign(got), "%s: row %d: %q %s %q", file, rows+1, a, cols[1], b)
		back, err := version.Compare(b, a)
		require.NoError(t, err)
		require.Equal(t, -want, sign(back), "%s: row %d mirrored: %q %s %q", file, rows+1, a, cols[1], b)
	}
	require.GreaterOrEqual(t, rows, least, "%s is shorter than it should be", file)
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestDebVectors(t *testing.T) {
	checkVectors(t, "testdata/deb.tsv", version.Deb, 70)
	checkVectors(t, "testdata/deb-generated.tsv", version.Deb, 241)
}

func TestDebSharedVectors(t *testing.T) {
	shared := need.Shared(t)
	checkVectors(t, filepath.Join(shared, "vectors", "deb.tsv"), version.Deb, 70)
	checkVectors(t, filepath.Join(shared, "vectors", "deb-generated.tsv"), version.Deb, 14442)
}

func TestDebGrammar(t *testing.T) {
	valid := []string{"0", "1.0", "1.0-1", "1.0-1-2", "0:1:2", "1:1:2-3", "2147483647:1", "0001:1", "1.0-~", "1~", "1.0+b1", "1.0-a"}
	for _, text := range valid {
		v, err := version.Parse(version.Deb, text)
		require.NoError(t, err, text)
		require.Equal(t, text, v.Text)
	}
	invalid := []struct{ text, why string }{
		{"", "it is empty"},
		{"foo", "does not start with a digit"},
		{"1:foo", "does not start with a digit"},
		{"~1", "does not start with a digit"},
		{"+1", "does not start with a digit"},
		{"-1", "the upstream version is empty"},
		{"1:-1", "the upstream version is empty"},
		{"1:", "the upstream version is empty"},
		{":1", "the epoch is empty"},
		{"-1:1", "the epoch is no number"},
		{"+1:1", "the epoch is no number"},
		{"0x1:1", "the epoch is no number"},
		{"1.0:2", "the epoch is no number"},
		{"1.0-1:2", "the epoch is no number"},
		{"2147483648:1", "the epoch is too big"},
		{"99999999999999999999999:1", "the epoch is too big"},
		{"1.0-", "the revision is empty"},
		{"1_2", "the upstream version has a character"},
		{"1 2", "the upstream version has a character"},
		{" 1.0", "does not start with a digit"},
		{"1.0 ", "the upstream version has a character"},
		{"1.0\n", "the upstream version has a character"},
		{"1\u00e9", "the upstream version has a character"},
		{"1\x00", "the upstream version has a character"},
		{"1.0-1_1", "the revision has a character"},
		{"1.0-1 ", "the revision has a character"},
	}
	for _, row := range invalid {
		_, err := version.Parse(version.Deb, row.text)
		require.ErrorIs(t, err, version.ErrSyntax, "%q", row.text)
		require.ErrorContains(t, err, row.why, "%q", row.text)
	}
}

func TestDebErrorQuotesAtMostTheBeginning(t *testing.T) {
	_, err := version.Parse(version.Deb, "x"+strings.Repeat("1", 1<<20))
	require.ErrorIs(t, err, version.ErrSyntax)
	require.ErrorContains(t, err, "(1048577 bytes)")
	require.Less(t, len(err.Error()), 400)
}

func TestDebNumbersOfAnyLengthCompareByValue(t *testing.T) {
	lengths := []int{1, 2, 76, 77, 78, 79, 155, 156, 157, 249, 250, 251, 252, 255, 256, 257, 1000, 1001, 5000}
	for i, n := range lengths {
		for j, m := range lengths {
			got, err := version.Compare(deb(strings.Repeat("9", n)), deb("1"+strings.Repeat("0", m-1)))
			require.NoError(t, err)
			want := sign(i - j)
			if i == j {
				want = 1 // as long, and all nines
			}
			require.Equal(t, want, sign(got), "%d nines against a one with %d zeros", n, m-1)
		}
		zeros, err := version.Compare(deb(strings.Repeat("0", 300)+strings.Repeat("7", n)), deb(strings.Repeat("7", n)))
		require.NoError(t, err)
		require.Zero(t, zeros, "leading zeros before %d digits", n)
	}
}

// dpkg answers itself: random pairs that share much of their text, since unrelated ones differ at once.
func TestDebAgreesWithDpkg(t *testing.T) {
	dpkg := need.Tool(t, "dpkg")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	valid := 0
	for range 300 {
		a := randomDeb(random)
		b := mutateDeb(random, a)
		ka, erra := deb(a).Key()
		_, errb := deb(b).Key()
		require.Equal(t, exec.Command(dpkg, "--validate-version", "--", a).Run() == nil, erra == nil, "validity of %q", a)
		if erra != nil || errb != nil {
			continue
		}
		valid++
		got, err := version.Compare(deb(a), deb(b))
		require.NoError(t, err)
		op := [...]string{"lt", "eq", "gt"}[sign(got)+1]
		require.NoError(t, exec.Command(dpkg, "--compare-versions", a, op, b).Run(), "%q %s %q, key %q", a, op, b, ka)
	}
	require.Greater(t, valid, 100, "too few of the random pairs are versions")
}

func randomDeb(random *rand.Rand) string {
	const chars = "0012389aAzZ.+-~~:"
	text := make([]byte, 1+random.IntN(10))
	for i := range text {
		text[i] = chars[random.IntN(len(chars))]
	}
	if random.IntN(4) > 0 {
		text[0] = "0123"[random.IntN(4)]
	}
	if i := strings.IndexByte(string(text), ':'); i > 0 && random.IntN(3) > 0 {
		for j := range i {
			text[j] = "01"[random.IntN(2)]
		}
	}
	return string(text)
}

func mutateDeb(random *rand.Rand, text string) string {
	const chars = "019az.+-~"
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

// reference compares the way deb-version(7) tells it, character by character; slow, and written without regard to keys.
func reference(a, b string) int {
	ea, ua, ra := referenceSplit(a)
	eb, ub, rb := referenceSplit(b)
	if c := referencePart(ea, eb); c != 0 {
		return c
	}
	if c := referencePart(ua, ub); c != 0 {
		return c
	}
	return referencePart(ra, rb)
}

func referenceSplit(text string) (epoch, upstream, revision string) {
	if e, rest, found := strings.Cut(text, ":"); found {
		epoch, text = e, rest
	}
	if i := strings.LastIndex(text, "-"); i >= 0 {
		return epoch, text[:i], text[i+1:]
	}
	return epoch, text, ""
}

func referencePart(a, b string) int {
	weight := func(s string, i int) int {
		switch {
		case i >= len(s) || '0' <= s[i] && s[i] <= '9':
			return 0
		case s[i] == '~':
			return -1
		case 'a' <= s[i] && s[i] <= 'z' || 'A' <= s[i] && s[i] <= 'Z':
			return int(s[i])
		}
		return int(s[i]) + 256
	}
	digits := func(s string) (number, rest string) {
		rest = strings.TrimLeft(s, "0123456789")
		return strings.TrimLeft(s[:len(s)-len(rest)], "0"), rest
	}
	for a != "" || b != "" {
		i := 0
		for weight(a, i) != 0 || weight(b, i) != 0 {
			if d := weight(a, i) - weight(b, i); d != 0 {
				return sign(d)
			}
			i++
		}
		var na, nb string
		na, a = digits(a[min(i, len(a)):])
		nb, b = digits(b[min(i, len(b)):])
		if len(na) != len(nb) {
			return sign(len(na) - len(nb))
		}
		if c := strings.Compare(na, nb); c != 0 {
			return c
		}
	}
	return 0
}

func FuzzDeb(f *testing.F) {
	f.Add("1.0-1", "1.0-2", "1:1.0~rc1")
	f.Add("0foo~~", "0foo~", "0foo-01")
	f.Add("1a", "1a0", "1a0~")
	f.Add(strings.Repeat("9", 1000), "1"+strings.Repeat("0", 1000), strings.Repeat("0", 1000)+"-1")
	f.Add("1_", "é", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 4096 {
			t.Skip("longer than need be")
		}
		checkOrder(t, version.Deb, reference, a, b, c)
	})
}

func BenchmarkDebAppendKey(b *testing.B) {
	v := deb("1:2.36.1-8+deb12u12~bpo11+1")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDebCompareKeys(b *testing.B) {
	x, _ := deb("1:2.36.1-8+deb12u12").Key()
	y, _ := deb("1:2.36.1-8+deb12u13").Key()
	b.ReportAllocs()
	for b.Loop() {
		if x >= y {
			b.Fatal("wrong order")
		}
	}
}
