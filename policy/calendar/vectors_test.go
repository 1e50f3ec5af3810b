package calendar_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/policy/calendar"
)

// rows returns the rows of a table of vectors, without comments and without the line that names the columns.
func rows(t testing.TB, file string) (all [][]string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if row := strings.Split(lines.Text(), "\t"); !strings.HasPrefix(row[0], "#") && row[0] != "id" {
			all = append(all, row)
		}
	}
	require.NoError(t, lines.Err())
	return all
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

func compact(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse("20060102T150405Z", s)
	require.NoError(t, err)
	return at
}

func wall(t testing.TB, s string) calendar.Wall {
	t.Helper()
	at, err := time.Parse("20060102T150405", s)
	require.NoError(t, err)
	return calendar.WallOf(at, time.UTC)
}

// The columns of rrule.tsv.
const (
	colID = iota
	colSource
	colText
	colZone
	colStart
	colRule
	colPolicy
	colLocal
	colUTC
	colNote
)

func gapOf(t testing.TB, policy string) calendar.Gap {
	t.Helper()
	gap, ok := map[string]calendar.Gap{"rfc-skip-gap": calendar.GapSkip, "offset-before-gap": calendar.GapKeep,
		"first-instant-after-gap": calendar.GapShift}[policy]
	require.True(t, ok, policy)
	return gap
}

// instants writes n instants of a row's rule, or one more if there is one, from the given time on.
func instants(t testing.TB, row []string, from time.Time, n int) []string {
	t.Helper()
	var got []string
	if days, found := strings.CutPrefix(row[colRule], "(no single RRULE: second TU + "); found {
		// The text form of a recurrence says what no rule of RFC 5545 can.
		number, err := strconv.Atoi(strings.TrimSuffix(days, " days)"))
		require.NoError(t, err)
		r, err := calendar.Parse("2nd tue +" + strconv.Itoa(number) + "d")
		require.NoError(t, err)
		start := wall(t, row[colStart])
		d := start.Date()
		for day, ok := r.Next(d); ok && len(got) <= n; day, ok = r.Next(day + 1) {
			if at, _ := day.At(start.Seconds()).In(zone(t, row[colZone]), gapOf(t, row[colPolicy])); !at.Before(from) {
				got = append(got, at.Format("20060102T150405Z"))
			}
		}
		return got
	}
	text := row[colRule]
	if _, except, found := strings.Cut(row[colNote], "EXDATE "); found {
		text += ";EXDATE=" + except
	}
	r, err := calendar.ParseRule(text, wall(t, row[colStart]))
	require.NoError(t, err)
	for at := range r.Instants(from, zone(t, row[colZone]), gapOf(t, row[colPolicy])) {
		if got = append(got, at.Format("20060102T150405Z")); len(got) > n {
			break
		}
	}
	return got
}

// checkRules takes every row that is about a recurrence, from its start and from the middle.
func checkRules(t *testing.T, file string, least int) {
	taken := 0
	for _, row := range rows(t, file) {
		if strings.HasPrefix(row[colRule], "WINDOW ") {
			continue // package policy takes these
		}
		taken++
		want := strings.Split(row[colUTC], ",")
		ends := strings.Contains(row[colRule], "COUNT=") || strings.Contains(row[colRule], "UNTIL=")
		for _, i := range []int{0, len(want) / 2, len(want) - 1} {
			got := instants(t, row, compact(t, want[i]), len(want)-i)
			if !ends && len(got) > len(want)-i {
				got = got[:len(want)-i]
			}
			require.Equal(t, want[i:], got, "%s %s, %s: %s", row[colID], row[colText], row[colPolicy], row[colRule])
		}
	}
	require.GreaterOrEqual(t, taken, least)
}

func TestRules(t *testing.T)    { checkRules(t, "testdata/rrule.tsv", 40) }
func TestAllRules(t *testing.T) { checkRules(t, need.Shared(t, "vectors", "rrule.tsv"), 110) }

// checkWalls takes every row of a table of wall clock times around changes of offset.
func checkWalls(t *testing.T, file string, least int) {
	fits := make(map[calendar.Fit]int)
	for _, row := range rows(t, file) {
		loc := zone(t, row[0])
		w := wall(t, row[1])
		at, fit := w.In(loc, calendar.GapShift)
		require.Equal(t, row[2], at.Format("20060102T150405Z"), row)
		require.Equal(t, map[string]calendar.Fit{"ok": calendar.FitOnce, "gap": calendar.FitNever, "fold": calendar.FitTwice}[row[3]], fit, row)
		fits[fit]++
		if fit != calendar.FitNever {
			require.Equal(t, w, calendar.WallOf(at, loc), row)
		}
		skipped, _ := w.In(loc, calendar.GapSkip)
		require.Equal(t, fit == calendar.FitNever, skipped.IsZero(), row)
	}
	require.GreaterOrEqual(t, min(fits[calendar.FitOnce], fits[calendar.FitNever], fits[calendar.FitTwice]), least)
}

func TestWalls(t *testing.T)    { checkWalls(t, "../testdata/tzwall.tsv", 30) }
func TestAllWalls(t *testing.T) { checkWalls(t, need.Shared(t, "vectors", "tzwall.tsv"), 140) }
