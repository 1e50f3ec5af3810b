package rollout

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// everyEvent holds one event of each kind with no field at zero.
func everyEvent() []Event {
	at := time.Date(2026, 3, 2, 9, 0, 0, 123, time.UTC)
	reports := []TaskReport{
		{Handle{3, 2}, Report{Phase: PhaseFailed, Fault: patch.Busy, Message: "locked", Ref: "r", Reboot: patch.Yes, BootID: "b", RetryAfter: time.Hour, Probes: []ProbeResult{{"till", patch.No, "stopped"}, {Name: "web"}}, Backup: Backup{"b7", at}}},
		{Handle{1, 900}, Report{Phase: PhaseSucceeded, Idle: patch.Yes}},
	}
	return []Event{
		Began{"sha256:ab", 1}, Adopted{"me"},
		RingAsked{1, policy.Request{ID: "r", Tenant: "acme", Rollout: "q1", Ring: "a", Devices: 2, Patches: []patch.ID{"x:1"}, Digest: "d", By: "olga", At: at}},
		RingDecided{1, "r", policy.Decision{Ruling: policy.Denied, By: "hans", Reason: "no", Digest: "d", At: at}, "why", 2},
		RingOpened{2}, RingSoaking{2, at}, RingUnsettled{2}, RingHeld{2, "manual"},
		Judged{2, Pass, Counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, "olga", "fine", Evidence{1, 2, 3, 4, 5, 6, 7, 8, 9, Comparison{1, 2, 3, 4, 5, 6, 7, 8}}},
		Overdue{[]int32{1, 7}}, Pooled{1, PatchOutcomes{"x:1", 5, 2, 100, 9}, 1234},
		Issued{OpVerify, true, []int32{5, 3, 900000}, at, at.Add(time.Hour)},
		Answered{reports}, Late{reports}, TimedOut{[]int32{1}},
		Postponed{OpReboot, true, patch.DiskFull, true, []int32{1, 2}, []time.Time{at, at.Add(-time.Second)}, true},
		Returned{[]int32{1}}, Lapsed{[]int32{1}}, DeviceSettled{Failed, patch.Permanent, true, []int32{1}}, StopAsked{[]int32{1}},
		UndoBegan{"ring", "olga", "bad", []int32{1}, []int32{2}, "why", true}, UndoHalted{2, 7, StageUndoing},
		Raised{1, 2, "attempts", []int32{1, 7}}, Cleared{1, 2, "attempts", []int32{1, 7}}, Quarantined{[]patch.ID{"x:1", "x:2"}, "ada", "bad"},
		Released{"x:1", "olga", "fixed"}, Staged{StageEnding, StageDenied, "denied", "hans", "no"},
		Reviewed{"r", "inge", "was fine"}, Withdrawn{"x:1", "olga", "breaks printers", []int32{1, 7}},
		RestartAnnounced{[]int32{1, 7}, at}, RestartDeferred{7, "eva", at, "often"},
		Voiced{7, "eva", Broke, "no sound"}, Measured{1, true, []int32{7, 1, 7}, []float64{1.5, 0, 2}}, Regressed{1, []int32{7}, []float64{1}, []float64{3}, []float64{2}},
		Downloaded{[]int32{1, 7}, true, patch.DiskFull},
		Admitted{[]Admission{{"eve", "acme/oslo", "Europe/Oslo", 1, 2, 1, []Domain{{1, "acme", []string{"oslo"}, 0}}, []string{"debian"}, "kvm"}}},
		Departed{Relabelled, "cmdb", "moved house", []int32{1, 7}, []int32{7}, []string{"canary", ""}}, Reopened{[]int32{1, 7}},
		Retried{[]int32{1, 7}, "olga", "the mirror is up again"},
		Paired{1, []int32{1, 7}, []int32{9}, 3, at}, ControlWorse{1, []int32{9}, []float64{1}, []float64{3}, []float64{2}}, Compared{1, []Block{{4, 3, 2, 1}}, 2},
		BreakerTripped{Circuit{3, "x:1"}, 4, 5, patch.Untrusted, 7, at, true}, BreakerTried{Circuit{-1, "x:1"}, 7}, BreakerClosed{Circuit{-1, "x:1"}, 7},
		Draining{OpReboot, true, []int32{1, 7}}, PuttingBack{true, Succeeded, patch.Busy, true, []int32{1, 7}}, PutBack{ReturnFailed, patch.Busy, true, []int32{1, 7}},
		Remedied{RemedyFailed, patch.Corrupt, patch.DiskFull, []int32{1, 7}},
		Looked{LookedStill, patch.Busy, []int32{1, 7}},
		Probed{ProbedUnwell, patch.Busy, []int32{1, 7}, []uint32{0, 1 << 31}},
		RestartShared{Key{"acme", "q2"}, []int32{1, 7}, []string{"b2", "b3"}},
		RestartYielded{Key{"acme", "q2"}, []int32{1, 7}},
		SupersededBy{Key{"acme", "q2"}, []int32{1, 7}},
		BackedUp{BackupWaived, patch.DiskFull, []int32{1, 7}, []Backup{{"b7", at}, {}}},
		Acknowledged{[]int32{1, 7}, "olga", "is being reinstalled"},
		WindowMissed{[]int32{1, 7}, policy.MissedRuns},
		Escalated{"x:1", []policy.Cause{{Code: policy.CauseEPSS, From: "0.1", To: "0.9"}}, []int32{1, 7}, []time.Time{at, at}},
	}
}

func TestEveryEventSurvivesTheJournal(t *testing.T) {
	b := Batch{At: time.Date(2026, 3, 2, 9, 0, 0, 1, time.UTC), Events: everyEvent()}
	got, err := DecodeBatch(EncodeBatch(nil, b))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(b, got))
	seen := make(map[byte]bool)
	for _, e := range b.Events {
		require.False(t, seen[e.kind()], "kind %d is used twice", e.kind())
		seen[e.kind()] = true
		v := reflect.ValueOf(e)
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%T.%s is zero here: the test would not see it lost", e, v.Type().Field(i).Name)
		}
	}
	for kind := range 256 {
		if decodeEvent(byte(kind), new(decoder)) != nil {
			require.True(t, seen[byte(kind)], "the event of kind %d is missing here", kind)
		}
	}
}

func TestAnEntryOfALaterVersionIsReadAsFarAsItIsKnown(t *testing.T) {
	e := &encoder{}
	RingOpened{2}.encode(e)
	e.string("a field of a later version")
	require.Equal(t, RingOpened{2}, decodeEvent(kindRingOpened, &decoder{b: e.b}))
	require.Equal(t, Judged{Ring: 1}, decodeEvent(kindJudged, &decoder{b: []byte{2}}), "fields that are not there yet are zero")
	require.Nil(t, decodeEvent(250, &decoder{}))
}

func TestADamagedEntryIsNoticed(t *testing.T) {
	entry := EncodeBatch(nil, Batch{At: time.Unix(1, 0), Events: everyEvent()})
	for i := range entry {
		bad := append([]byte(nil), entry...)
		bad[i] ^= 0x40
		_, err := DecodeBatch(bad)
		require.ErrorIs(t, err, ErrTorn, "byte %d", i)
		_, err = DecodeBatch(entry[:i])
		require.ErrorIs(t, err, ErrTorn, "cut at %d", i)
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	e := &encoder{b: []byte{entryFormat + 1, 0, 0}}
	_, err := DecodeBatch(sealed(e.b))
	require.ErrorIs(t, err, ErrNewer)
	_, err = DecodeBatch(sealed([]byte{entryFormat, 2, 1, 250, 0}))
	require.ErrorIs(t, err, ErrNewer)
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(EncodeBatch(nil, Batch{At: time.Unix(1, 0), Events: everyEvent()}))
	f.Add(EncodeBatch(nil, Batch{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<12 {
			return
		}
		for _, entry := range [][]byte{b, sealed(append([]byte{entryFormat}, b...))} {
			got, err := DecodeBatch(entry)
			if err != nil {
				continue
			}
			again, err := DecodeBatch(EncodeBatch(nil, got))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(got, again))
		}
	})
}
