package rollouttest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout/rollouttest"
)

const journals = "testdata/journals"

// Journals that released versions wrote are replayed for ever; testdata/journals/README.md says how the next are recorded.
func TestJournalsOfEveryVersionAreReplayedToTheSameState(t *testing.T) {
	if version := flag.Lookup("record").Value.String(); version != "" {
		record(t, filepath.Join(journals, version))
	}
	files, err := filepath.Glob(journals + "/v*/*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		all, err := rollouttest.ReadRecordings(file)
		require.NoError(t, err)
		require.NotEmpty(t, all, file)
		for i := range all {
			require.NoError(t, all[i].Check(), file)
		}
	}
}

// Every kind of event that a version knew stands in its recordings, so that none of them can change unnoticed: the newest knows all that the sources
// of package rollout do.
func TestRecordedJournalsHoldEveryKindOfEvent(t *testing.T) {
	for version, want := range map[string][]string{
		"v1": strings.Fields(`Adopted Answered Began DeviceSettled Issued Judged Lapsed Late Postponed Quarantined Released
			Returned Reviewed RingAsked RingDecided RingHeld RingOpened RingSoaking RingUnsettled Staged StopAsked TimedOut UndoBegan`),
		"v2": everyKind(t),
	} {
		var kinds []string
		for _, file := range []string{"stories", "random"} {
			all, err := rollouttest.ReadRecordings(filepath.Join(journals, version, file+".jsonl.gz"))
			require.NoError(t, err)
			for i := range all {
				more, err := all[i].Events()
				require.NoError(t, err)
				kinds = append(kinds, more...)
			}
		}
		slices.Sort(kinds)
		require.Equal(t, want, slices.Compact(kinds), version)
	}
}

// everyKind reads which events there are.
func everyKind(t *testing.T) (kinds []string) {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	has := regexp.MustCompile(`(?m)^func \((?:\w+ )?\*?(\w+)\) kind\(\) byte`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range has.FindAllSubmatch(text, -1) {
			kinds = append(kinds, string(m[1]))
		}
	}
	slices.Sort(kinds)
	require.Greater(t, len(kinds), 50)
	return kinds
}

func TestARecordingThatLeadsElsewhereIsNoticed(t *testing.T) {
	all, err := rollouttest.ReadRecordings(filepath.Join(journals, "v1", "random.jsonl.gz"))
	require.NoError(t, err)
	for i := range all {
		r := all[i]
		r.Entries = r.Entries[:len(r.Entries)-1]
		require.ErrorContains(t, r.Check(), "another state", "one entry is missing")
		r = all[i]
		r.State += "."
		require.ErrorContains(t, r.Check(), "the recording itself was changed")
	}
	path := filepath.Join(t.TempDir(), "x.jsonl.gz")
	require.NoError(t, rollouttest.WriteRecordings(path, all))
	require.ErrorIs(t, rollouttest.WriteRecordings(path, all), os.ErrExist)
	again, err := rollouttest.ReadRecordings(path)
	require.NoError(t, err)
	require.Equal(t, all, again)
}

// record writes the journals of this version: those of all stories, and of a few random rollouts.
func record(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Mkdir(dir, 0o755))
	var stories, random []rollouttest.Recording
	paths, err := filepath.Glob("testdata/stories/*.story")
	require.NoError(t, err)
	for _, path := range paths {
		more, err := rollouttest.RecordStory(path)
		require.NoError(t, err)
		stories = append(stories, more...)
	}
	require.NoError(t, rollouttest.WriteRecordings(filepath.Join(dir, "stories.jsonl.gz"), stories))
	for seed := range uint64(8) {
		d := dice(1000 + seed)
		p := randomPlan(t, &d, "q1", 25)
		f := rollouttest.NewFleet(randomFleet(&d, seed, p.At, true))
		results, err := rollouttest.Drive(f, rollouttest.DriveConfig{Seed: seed, Late: 20 * time.Hour, Seen: true}, p)
		require.NoError(t, err)
		r, err := rollouttest.Record(fmt.Sprintf("seed %d", seed), &p, results[0].Entries)
		require.NoError(t, err)
		random = append(random, r)
	}
	require.NoError(t, rollouttest.WriteRecordings(filepath.Join(dir, "random.jsonl.gz"), random))
}
