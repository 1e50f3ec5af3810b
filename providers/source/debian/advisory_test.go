package debian_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
)

func readAdvisories(list string) (got []debian.Advisory, errs []string) {
	for a, err := range debian.ReadAdvisories(strings.NewReader(list), source.Limits{}) {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		got = append(got, a)
	}
	return got, errs
}

func TestReadAdvisories(t *testing.T) {
	got, errs := readAdvisories(`[17 Mar 2023] DSA-5356-2 sox - regression update
	[bullseye] - sox 14.4.2+git20190427-2+deb11u2

[2 Mar 2023] DSA-5367-1 spip - security update
	{ CVE-2023-27372  CVE-2023-27373 CVE-2023-27372 }
	NOTE: not fixed in testing at time of DSA
        [woody] - spip  1.6.6-1.3woody1 (medium)
	[sarge] - spip <not-affected> (Vulnerable code not present)
	[etch] - spip <unfixed>
	[lenny] - spip <end-of-life> (bug #1)
[18 Apr 2018] DSA-4205-1 jessie end-of-life
[01 Aug 2002] DSA-141 mpack - buffer overflow
`)
	require.Empty(t, errs)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	require.Empty(t, cmp.Diff([]debian.Advisory{
		{ID: "DSA-5356-2", Title: "sox - regression update", Published: day(2023, 3, 17), Regression: true, Line: 1,
			Fixes: []debian.Fix{{Release: "bullseye", Source: "sox", Status: debian.Fixed, Version: "14.4.2+git20190427-2+deb11u2"}}},
		{ID: "DSA-5367-1", Title: "spip - security update", Published: day(2023, 3, 2), CVEs: []string{"CVE-2023-27372", "CVE-2023-27373"},
			Notes: []string{"not fixed in testing at time of DSA"}, Line: 4,
			Fixes: []debian.Fix{
				{Release: "woody", Source: "spip", Status: debian.Fixed, Version: "1.6.6-1.3woody1"},
				{Release: "sarge", Source: "spip", Status: debian.NotAffected},
				{Release: "etch", Source: "spip", Status: debian.Unfixed},
				{Release: "lenny", Source: "spip", Status: debian.EndOfLife},
			}},
		{ID: "DSA-4205-1", Title: "jessie end-of-life", Published: day(2018, 4, 18), Line: 11},
		{ID: "DSA-141", Title: "mpack - buffer overflow", Published: day(2002, 8, 1), Line: 12},
	}, got))
}

func TestUnreadableLinesOfAnAdvisoryAreToldAndTheRestIsKept(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"\t{CVE-2023-0001", "line 2: DSA-1-1: the list of CVEs is not closed"},
		{"\t{CVE-2023-0001 XYZ-1}", `line 2: DSA-1-1: no CVE is called "XYZ-1"`},
		{"\t[bookworm] - a", `line 2: DSA-1-1: "[bookworm] - a" is no fix`},
		{"\t[bookworm] a 1.0 x", `"[bookworm] a 1.0 x" is no fix`},
		{"\t[bookworm] - a <what>", `deb "<what>"`},
		{"\tsomething else", `"something else" is neither CVEs nor a fix nor a note`},
		{"something else", "neither the beginning of an advisory nor indented"},
	} {
		got, errs := readAdvisories("[01 Jan 2025] DSA-1-1 a - security update\n" + row.line + "\n\t[bookworm] - a 1.0\n")
		require.Len(t, errs, 1, row.line)
		require.Contains(t, errs[0], "debian: advisories: line 2: ")
		require.Contains(t, errs[0], row.want)
		require.Len(t, got, 1, row.line)
		require.Len(t, got[0].Fixes, 1, row.line)
	}
	for _, header := range []string{"[31 Feb 2025] DSA-1-1 a", "[01 Jan 2025 DSA-1-1 a", "[01 Jan 2025] a", "[01 Jan 2025]", "[", "\tNOTE: x"} {
		got, errs := readAdvisories(header + "\n\t[bookworm] - a 1.0\n[01 Jan 2025] DSA-2-1 b\n")
		require.NotEmpty(t, errs, header)
		require.Contains(t, errs[0], "line 1: ", header)
		require.Len(t, got, 1, header)
		require.Equal(t, "DSA-2-1", got[0].ID, "lines of an advisory that has no name belong to no other")
		require.Empty(t, got[0].Fixes)
	}
}

func TestReadAdvisoriesEndsWithTheErrorOfReading(t *testing.T) {
	broken := errors.New("disk on fire")
	n := 0
	for _, err := range debian.ReadAdvisories(iotest.ErrReader(broken), source.Limits{}) {
		n++
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, patch.ErrRecord)
	}
	require.Equal(t, 1, n)
	_, errs := readAdvisories("[01 Jan 2025] DSA-1-1 a\n\t[bookworm] - a 1.0")
	require.Equal(t, []string{"debian: advisories: line 2: the file ends in the middle of a line: unexpected EOF"}, errs)
}

func FuzzReadAdvisories(f *testing.F) {
	f.Add("[17 Mar 2023] DSA-5356-2 sox - regression update\n\t{CVE-2023-0001}\n\t[bullseye] - sox 14\n\tNOTE: x\n")
	f.Add("[18 Apr 2018] DSA-4205-1\n\t[a] - b <unfixed>\n")
	f.Fuzz(func(t *testing.T, list string) {
		if len(list) > 4096 {
			t.Skip("longer than need be")
		}
		line := 0
		for a, err := range debian.ReadAdvisories(strings.NewReader(list), source.Limits{}) {
			if err != nil {
				require.ErrorContains(t, err, "debian: advisories: ")
				continue
			}
			require.Greater(t, a.Line, line)
			line = a.Line
			require.NotEmpty(t, a.ID)
			for _, fix := range a.Fixes {
				require.Equal(t, fix.Status == debian.Fixed, fix.Version != "")
			}
		}
	})
}
