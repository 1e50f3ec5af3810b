package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADeviceThatIsBack(t *testing.T) {
	p := &Policy{Freezes: []Freeze{{Name: "x", From: wallAt(t, "2026-06-20"), Until: wallAt(t, "2026-06-21")}}}
	s, err := p.Schedule([]Window{window(t, "fri", "22:00", "24:00")}, "UTC")
	require.NoError(t, err)
	const next = "2026-06-19T22:00:00Z"
	for _, row := range []struct{ name, away, back, waits, runs, skips string }{
		{"before the window was over", "2026-06-12T21:00:00Z", "2026-06-12T23:00:00Z", "2026-06-12T22:00:00Z", "2026-06-12T22:00:00Z", "2026-06-12T22:00:00Z"},
		{"when it is over", "2026-06-12T21:00:00Z", "2026-06-13T00:00:00Z", next, "2026-06-13T00:00:00Z", "never"},
		{"days later", "2026-06-12T23:00:00Z", "2026-06-15T08:00:00Z", next, "2026-06-15T08:00:00Z", "never"},
		{"and in the next", "2026-06-12T21:00:00Z", "2026-06-19T23:00:00Z", next, next, next},
		{"having missed none", "2026-06-13T00:00:00Z", "2026-06-15T08:00:00Z", next, next, next},
		{"in a freeze", "2026-06-19T21:00:00Z", "2026-06-20T08:00:00Z", "2026-06-26T22:00:00Z", "2026-06-21T00:00:00Z", "never"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for m, want := range map[Missed]string{MissedWaits: row.waits, MissedRuns: row.runs, MissedSkips: row.skips} {
				o, ok := s.Back(m, instant(t, row.away), instant(t, row.back))
				require.Equal(t, want != "never", ok, m)
				if ok {
					require.Equal(t, instant(t, want), o.Open, m)
				} else {
					require.Zero(t, o, m)
				}
			}
		})
	}
	o, ok := s.Back(MissedRuns, instant(t, "2026-06-12T21:00:00Z"), instant(t, "2026-06-15T08:00:00Z"))
	require.True(t, ok)
	require.Equal(t, instant(t, "2026-06-20T00:00:00Z"), o.Close, "until the freeze")
	for m, name := range map[Missed]string{MissedWaits: "next", MissedRuns: "asap", MissedSkips: "skip"} {
		require.Equal(t, name, m.String())
		text, err := m.MarshalText()
		require.NoError(t, err)
		var again Missed
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, m, again)
	}
	require.Error(t, new(Missed).UnmarshalText([]byte("later")))
}
