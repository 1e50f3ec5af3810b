package source_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestOpenDecompressesAndStartsAnew(t *testing.T) {
	files := fstest.MapFS{"plain": {Data: []byte("facts")}, "packed": {Data: zipped(t, "facts")}}
	for name := range files {
		open := source.File(files, name)
		for range 2 {
			r, err := source.Limits{}.Open(open)
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, "facts", string(text))
			require.NoError(t, r.Close())
		}
	}
}

func TestOpenKeepsTheBounds(t *testing.T) {
	files := fstest.MapFS{"packed": {Data: zipped(t, strings.Repeat("0", 1000))}}
	r, err := source.Limits{Bytes: 999}.Open(source.File(files, "packed"))
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, source.ErrTooLarge)
}

type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error { *c.closed = true; return nil }

func TestOpenClosesAFileThatItCannotRead(t *testing.T) {
	var closed bool
	_, err := source.Limits{}.Open(func() (io.ReadCloser, error) {
		return closing{strings.NewReader("\xfd7zXZ\x00 and no more"), &closed}, nil
	})
	require.Error(t, err)
	require.True(t, closed)

	missing := errors.New("gone")
	_, err = source.Limits{}.Open(func() (io.ReadCloser, error) { return nil, missing })
	require.ErrorIs(t, err, missing)
}

func TestLimitsHaveADefaultNumberOfRecords(t *testing.T) {
	require.Equal(t, 1_000_000, source.Limits{}.Max())
	require.Equal(t, 3, source.Limits{Records: 3}.Max())
}

func TestBadIsAboutOneRecord(t *testing.T) {
	cause := errors.New("no ID")
	err := source.Bad("feed.json: record 12", cause)
	require.ErrorIs(t, err, patch.ErrRecord)
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "feed.json: record 12: ")
}

func TestSeverityTranslatesWords(t *testing.T) {
	for word, want := range map[string]patch.Severity{
		"Critical": patch.SeverityCritical, "SEVERITY_CRITICAL": patch.SeverityCritical,
		"Important": patch.SeverityImportant, "important": patch.SeverityImportant, " HIGH ": patch.SeverityImportant,
		"Moderate": patch.SeverityModerate, "Medium": patch.SeverityModerate,
		"Low": patch.SeverityLow, "negligible": patch.SeverityLow, "unimportant": patch.SeverityLow,
		"": patch.SeverityUnrated, "None": patch.SeverityUnrated, "untriaged": patch.SeverityUnrated, "not yet assigned": patch.SeverityUnrated,
		"System.Object[]": patch.SeverityUnrated, "SEVERITY_": patch.SeverityUnrated,
	} {
		require.Equal(t, want, source.Severity(word), "%q", word)
	}
}

func TestSeverityOfScoreIsFIRSTsScale(t *testing.T) {
	for score, want := range map[float64]patch.Severity{
		0: patch.SeverityUnrated, 0.1: patch.SeverityLow, 3.9: patch.SeverityLow, 4: patch.SeverityModerate, 6.9: patch.SeverityModerate,
		7: patch.SeverityImportant, 8.9: patch.SeverityImportant, 9: patch.SeverityCritical, 10: patch.SeverityCritical,
	} {
		require.Equal(t, want, source.SeverityOfScore(score), "%v", score)
	}
}

func TestClassificationTranslatesWords(t *testing.T) {
	for word, want := range map[string]patch.Classification{
		"security": patch.ClassSecurity, "Security Updates": patch.ClassSecurity, "TYPE_SECURITY": patch.ClassSecurity,
		"bugfix": patch.ClassBugfix, "recommended": patch.ClassBugfix, "Updates": patch.ClassBugfix, "TYPE_BUGFIX": patch.ClassBugfix,
		"enhancement": patch.ClassFeature, "newpackage": patch.ClassFeature, "Feature Packs": patch.ClassFeature,
		"Critical Updates": patch.ClassCritical, "Definition Updates": patch.ClassDefinition, "Update Rollups": patch.ClassRollup,
		"Monthly Rollup": patch.ClassRollup, "Drivers": patch.ClassDriver, "firmware": patch.ClassFirmware, "optional": patch.ClassOptional,
		"": patch.ClassUnknown, "critical": patch.ClassUnknown, "custom": patch.ClassUnknown,
	} {
		require.Equal(t, want, source.Classification(word), "%q", word)
	}
}

func TestScoreReadsEveryVersion(t *testing.T) {
	for vector, want := range map[string]patch.Score{
		"AV:N/AC:L/Au:N/C:C/I:C/A:C":                                      {Version: "2.0", Base: 10},
		"(AV:N/AC:L/Au:N/C:N/I:N/A:P)":                                    {Version: "2.0", Base: 5},
		"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H":                    {Version: "3.0", Base: 10},
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H":                    {Version: "3.1", Base: 9.8},
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": {Version: "4.0", Base: 9.3},
	} {
		got, err := source.Score(" "+vector+"\n", "nvd")
		require.NoError(t, err)
		want.Vector, want.By = strings.Trim(vector, "()"), "nvd"
		require.Equal(t, want, got)
	}
}

func TestScoreRefusesWhatIsNoVector(t *testing.T) {
	for _, vector := range []string{"", "9.8", "high", "CVSS:3.1", "CVSS:3.1/AV:N", "CVSS:5.0/AV:N/AC:L", "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		strings.Repeat("AV:N/", 1000)} {
		_, err := source.Score(vector, "nvd")
		require.ErrorIs(t, err, source.ErrVector, "%q", vector)
	}
}

// Every vector of the collection of Red Hat's library gets the score that stands there, but for a handful of version 4 that
// differ by a tenth.
func TestScoreAgreesWithOthers(t *testing.T) {
	folder := need.Shared(t, "feeds", "cvss-vectors")
	for name, allowed := range map[string]int{
		"vectors_simple2.txt": 0, "vectors_simple3.txt": 0, "vectors_simple31.txt": 0, "vectors_simple4.txt": 5,
	} {
		f, err := os.Open(filepath.Join(folder, name))
		require.NoError(t, err)
		defer f.Close()
		rows, differ := 0, 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			vector, scores, found := strings.Cut(lines.Text(), " - (")
			if !found {
				continue
			}
			first, _, _ := strings.Cut(strings.TrimSuffix(scores, ")"), ",")
			want, err := strconv.ParseFloat(first, 64)
			require.NoError(t, err, lines.Text())
			got, err := source.Score(vector, "")
			require.NoError(t, err, lines.Text())
			rows++
			if got.Base != max(want, 0) {
				require.InDelta(t, want, got.Base, 0.1001, lines.Text())
				differ++
			}
		}
		require.Greater(t, rows, 300, name)
		require.LessOrEqual(t, differ, allowed, name)
	}
}

func FuzzScore(f *testing.F) {
	f.Add("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
	f.Add("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A")
	f.Add("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C")
	f.Fuzz(func(t *testing.T, vector string) {
		s, err := source.Score(vector, "x")
		if err != nil {
			require.ErrorIs(t, err, source.ErrVector)
			return
		}
		require.True(t, s.Base >= 0 && s.Base <= 10, "%v", s.Base)
		again, err := source.Score(s.Vector, "x")
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

func ExampleScore() {
	s, err := source.Score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "nvd")
	fmt.Println(s.Base, source.SeverityOfScore(s.Base), err)
	// Output: 9.8 critical <nil>
}

// A publisher's own word is kept beside its translation.
func ExampleSeverity() {
	for _, word := range []string{"Medium", "SEVERITY_IMPORTANT", "untriaged"} {
		fmt.Println(word, "is", source.Severity(word))
	}
	// Output:
	// Medium is moderate
	// SEVERITY_IMPORTANT is important
	// untriaged is unrated
}
