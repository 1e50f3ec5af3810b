package deb822_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/deb822"
)

// read returns one line per stanza or error: what a listing of the file would show.
func read(text string, config deb822.Config) []string {
	var got []string
	r := deb822.NewReader(strings.NewReader(text), config)
	for {
		s, err := r.Next()
		if err == io.EOF {
			return got
		}
		var syntax *deb822.SyntaxError
		if err != nil {
			got = append(got, err.Error())
			if !errors.As(err, &syntax) {
				return got
			}
			continue
		}
		line := fmt.Sprintf("%d@%d", s.Number, s.Line)
		for i, name := range config.Fields {
			if s.Has(i) {
				line += fmt.Sprintf(" %s=%q", name, s.Text(i))
			}
		}
		got = append(got, line)
	}
}

func TestReader(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"an empty file has no stanza", "", nil},
		{"blank lines alone are no stanza", "\n \n\t\n", nil},
		{"fields are kept by name and the rest is left out", "A: 1\nX: no\nB: 2\n", []string{`1@1 A="1" B="2"`}},
		{"stanzas are counted and placed", "\nA: 1\n\n\nB: 2\n\n", []string{`1@2 A="1"`, `2@5 B="2"`}},
		{"names are found in any case", "a: 1\nb: 2\n", []string{`1@1 A="1" B="2"`}},
		{"blanks around a value go", "A:1\t \nB:   \n", []string{`1@1 A="1" B=""`}},
		{"carriage returns go", "A: 1\r\n\r\nB: 2\r\n", []string{`1@1 A="1"`, `2@3 B="2"`}},
		{"lines that continue belong to their field", "A: 1\n 2\n .\nX: 3\n 4\nB: 5\n", []string{`1@1 A="1\n2\n." B="5"`}},
		{"values may hold colons", "A: 1:2\n", []string{`1@1 A="1:2"`}},
		{"a line without a colon spoils its stanza only", "A: 1\nwhat\nB: 2\n\nA: 3\n", []string{`stanza 1, line 2: "what" is no field`, `2@5 A="3"`}},
		{"a name with a blank is none", "A b: 1\n", []string{`stanza 1, line 1: "A b: 1" is no field`}},
		{"comments are no part of the format", "# A: 1\n", []string{`stanza 1, line 1: "# A: 1" is no field`}},
		{"a field that stands twice is an error", "A: 1\nA: 2\n\nB: 3\n", []string{`stanza 1, line 2: field A stands twice`, `2@4 B="3"`}},
		{"an unwanted field may stand twice", "X: 1\nX: 2\nA: 3\n", []string{`1@1 A="3"`}},
		{"nothing can be continued before a field", " 1\nA: 2\n", []string{`stanza 1, line 1: a continuation line before any field`}},
		{"a zero byte is an error", "A: 1\x002\n", []string{`stanza 1, line 1: field A holds a zero byte`}},
		{"a line longer than allowed spoils its stanza only", "A: 123456789012345\n\nA: 3\n", []string{`stanza 1, line 1: a line of more than 16 bytes`, `2@3 A="3"`}},
		{"an unwanted line longer than allowed is an error too", "X: 123456789012345\n", []string{`stanza 1, line 1: a line of more than 16 bytes`}},
		{"a stanza larger than allowed is an error", strings.Repeat("X: 1234567\n", 10) + "\nA: 1\n", []string{`stanza 1, line 7: a stanza of more than 64 bytes`, `2@12 A="1"`}},
		{"a file that ends in a line is cut short", "A: 1\n\nA: 2\nB: 3", []string{`1@1 A="1"`, `line 4: the file ends in the middle of a line: unexpected EOF`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, read(row.text, deb822.Config{Fields: []string{"A", "B"}, Line: 16, Stanza: 64}))
		})
	}
}

func TestReaderTakesLinesLongerThanItsBuffer(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	r := deb822.NewReader(strings.NewReader("X: "+long+"\nA: "+long+"\n"), deb822.Config{Fields: []string{"A"}})
	s, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, long, s.Text(0))

	endless := "A: " + strings.Repeat("x", 3<<20) + "\n\nA: 2\n"
	require.Equal(t, []string{"stanza 1, line 1: a line of more than 1048576 bytes", `2@3 A="2"`}, read(endless, deb822.Config{Fields: []string{"A"}}))
}

func TestReaderReadsTheTextOfASignedFile(t *testing.T) {
	text := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nA: 1\nB:\n x\n-----BEGIN PGP SIGNATURE-----\n\niQIz\n=abc\n-----END PGP SIGNATURE-----\n"
	require.Equal(t, []string{"1@2", `2@4 A="1" B="\nx"`}, read(text, deb822.Config{Fields: []string{"A", "B"}, Signed: true}))
	require.Equal(t, `stanza 1, line 1: "-----BEGIN PGP SIGNED MESSAGE-----" is no field`, read(text, deb822.Config{Fields: []string{"A", "B"}})[0])
}

func TestReaderNamesTheLineWhereReadingFailed(t *testing.T) {
	broken := errors.New("disk on fire")
	r := deb822.NewReader(io.MultiReader(strings.NewReader("A: 1\n\nA: 2\n"), iotest.ErrReader(broken)), deb822.Config{Fields: []string{"A"}})
	_, err := r.Next()
	require.NoError(t, err)
	_, err = r.Next()
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "line 4: ")
	_, again := r.Next()
	require.Equal(t, err, again)
}

func FuzzReader(f *testing.F) {
	f.Add("A: 1\n\nB: 2\n 3\n", false)
	f.Add("-----BEGIN PGP SIGNED MESSAGE-----\n\nA: 1\n-----BEGIN PGP SIGNATURE-----\n", true)
	f.Add("A: 1\nA: 2\n\n\n x\n", false)
	f.Fuzz(func(t *testing.T, text string, signed bool) {
		if len(text) > 4096 {
			t.Skip("longer than need be")
		}
		r := deb822.NewReader(strings.NewReader(text), deb822.Config{Fields: []string{"A", "B"}, Line: 256, Stanza: 1024, Signed: signed})
		lines := strings.Count(text, "\n") + 1
		for last := 0; ; {
			s, err := r.Next()
			var syntax *deb822.SyntaxError
			switch {
			case errors.As(err, &syntax):
				require.Positive(t, syntax.Stanza)
				require.LessOrEqual(t, syntax.Line, lines)
				continue
			case err != nil:
				return
			}
			require.Greater(t, s.Line, last)
			require.LessOrEqual(t, s.Line, lines)
			require.LessOrEqual(t, len(s.Bytes(0))+len(s.Bytes(1)), 1024+1)
			last = s.Line
		}
	})
}
