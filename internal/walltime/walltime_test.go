package walltime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/walltime"
)

// Around every change of offset from 2005 to 2040, each quarter of an hour on the wall is looked for second by quarter.
func TestFindAroundEveryChangeOfOffset(t *testing.T) {
	for _, name := range []string{"America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo", "Pacific/Apia"} {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		shown := func(at int64) int64 {
			_, offset := time.Unix(at, 0).In(loc).Zone()
			return at + int64(offset)
		}
		changes := 0
		for at := time.Date(2005, time.January, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2040; changes++ {
			_, change := at.In(loc).ZoneBounds()
			if change.IsZero() {
				break
			}
			at = change.Add(time.Hour)
			const quarter, around = 900, 2 * walltime.SecondsPerDay
			var first, times = make(map[int64]int64), make(map[int64]int)
			for s := change.Unix() - around; s < change.Unix()+around; s += quarter {
				if w := shown(s); times[w] == 0 {
					first[w], times[w] = s, 1
				} else {
					times[w]++
				}
			}
			latest := shown(change.Unix() - around)
			for s := change.Unix() - around; s < change.Unix()+around; s += quarter {
				if s == change.Unix() {
					latest = max(latest, shown(s-1))
				}
				latest = max(latest, shown(s))
				require.Equal(t, latest, walltime.Latest(s, loc), "%s at %s", name, time.Unix(s, 0).UTC())
			}
			for w := shown(change.Unix()) - walltime.SecondsPerDay; w < shown(change.Unix())+walltime.SecondsPerDay; w += quarter {
				place := walltime.Find(w, loc)
				require.Equal(t, times[w] == 0, place.Gap, "%s shows %s", name, time.Unix(w, 0).UTC())
				require.Equal(t, times[w] > 1, place.Twice, "%s shows %s", name, time.Unix(w, 0).UTC())
				if place.Gap {
					require.Equal(t, change.Unix(), place.At)
					require.Equal(t, shown(change.Unix()-1)-(change.Unix()-1), place.Before)
				} else {
					require.Equal(t, first[w], place.At)
				}
				require.Equal(t, place.At, walltime.At(change.Unix(), loc).Resolve(w, loc))
			}
		}
		require.Positive(t, changes, name)
	}
}

func TestDivisionRoundsDown(t *testing.T) {
	for _, row := range [][4]int64{{7, 3, 2, 1}, {-7, 3, -3, 2}, {-6, 3, -2, 0}, {0, 3, 0, 0}} {
		require.Equal(t, row[2], walltime.FloorDiv(row[0], row[1]))
		require.Equal(t, row[3], walltime.FloorMod(row[0], row[1]))
	}
}
