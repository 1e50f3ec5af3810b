package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

func TestWhatSupersedes(t *testing.T) {
	pkg := func(name, v string) patch.Package {
		return patch.Package{Ecosystem: "Debian:12", Name: name, Fixed: version.Version{Scheme: version.Deb, Text: v}}
	}
	of := func(id patch.ID, packages ...patch.Package) Pinned { return Pinned{ID: id, Packages: packages} }
	says := func(id patch.ID, olds ...patch.ID) Pinned { return Pinned{ID: id, Supersedes: olds} }
	odd := pkg("curl", "3")
	odd.Fixed.Scheme = version.RPM
	whole := pkg("", "3")
	old := of("old", pkg("curl", "2"))
	for name, c := range map[string]struct {
		by, of []Pinned
		want   bool
	}{
		"its publisher says so":             {[]Pinned{says("new", "old")}, []Pinned{old}, true},
		"its publisher says so of another":  {[]Pinned{says("new", "other")}, []Pinned{old}, false},
		"a newer version":                   {[]Pinned{of("new", pkg("curl", "3"))}, []Pinned{old}, true},
		"an older version":                  {[]Pinned{of("new", pkg("curl", "1"))}, []Pinned{old}, false},
		"the same version":                  {[]Pinned{of("new", pkg("curl", "2"))}, []Pinned{old}, false},
		"the same patch":                    {[]Pinned{old}, []Pinned{old}, false},
		"another package":                   {[]Pinned{of("new", pkg("bash", "3"))}, []Pinned{old}, false},
		"versions that cannot be compared":  {[]Pinned{of("new", odd)}, []Pinned{old}, false},
		"a package without a name":          {[]Pinned{of("new", whole)}, []Pinned{of("old", pkg("", "2"))}, false},
		"no version is known":               {[]Pinned{of("new", pkg("curl", "3"))}, []Pinned{of("old", patch.Package{Ecosystem: "Debian:12", Name: "curl"})}, false},
		"one of two packages only":          {[]Pinned{of("new", pkg("curl", "3"))}, []Pinned{of("old", pkg("curl", "2"), pkg("bash", "5"))}, false},
		"one newer, one as it is":           {[]Pinned{of("new", pkg("curl", "3"), pkg("bash", "5"))}, []Pinned{of("old", pkg("curl", "2"), pkg("bash", "5"))}, true},
		"one newer, one older":              {[]Pinned{of("new", pkg("curl", "3"), pkg("bash", "4"))}, []Pinned{of("old", pkg("curl", "2"), pkg("bash", "5"))}, false},
		"one of two patches":                {[]Pinned{says("new", "old")}, []Pinned{old, of("more", pkg("vim", "9"))}, false},
		"one of two patches, and the other": {[]Pinned{says("new", "old"), of("more", pkg("vim", "9"))}, []Pinned{old, of("more", pkg("vim", "9"))}, true},
		"the other in another version":      {[]Pinned{says("new", "old"), of("more", pkg("vim", "8"))}, []Pinned{old, of("more", pkg("vim", "9"))}, false},
		"a patch without packages":          {[]Pinned{of("new", pkg("curl", "3"))}, []Pinned{of("old")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, (&Content{Patches: c.by}).supersedes(&Content{Patches: c.of}))
		})
	}
}

// What a rollout has brought and takes back again supersedes nothing.
func TestWhatIsTakenBackSupersedesNothing(t *testing.T) {
	s := newSisters(t, 0)
	older := s.overtakes(t)
	s.bonn.rings[0].gate.Soak = policy.Duration(time.Hour) // or it is over
	s.takes(t, s.bonn)
	s.succeed(t, s.bonn)
	require.Len(t, s.agenda.Overtaken(older, s.now), 1)
	b, err := s.bonn.Step(Commanded{s.now, Command{Do: DoUndo, By: "hans", Reason: "no sound"}})
	require.NoError(t, err)
	s.agenda.Note(s.bonn, b, nil)
	require.Empty(t, s.agenda.Overtaken(older, s.now))
}

// A host that did not write down that a device is overtaken hears of it again, also when it has replayed the rollout, and also when the
// rollout that was first is over and forgotten; not when the device is settled.
func TestWhatIsOvertakenIsToldUntilItIsSettled(t *testing.T) {
	s := newSisters(t, 0)
	older := s.overtakes(t)
	s.takes(t, s.bonn)
	s.succeed(t, s.bonn)
	want := []Overtaken{{At: s.now, By: s.bonn.plan.Key, Devices: []int32{0, 1, 2}}}
	require.Equal(t, want, s.agenda.Overtaken(older, s.now))
	require.Equal(t, want, s.agenda.Overtaken(older, s.now), "the step may be lost")
	s.agenda.Add(older)
	require.Equal(t, want, s.agenda.Overtaken(older, s.now), "it is known from the other rollout")
	s.agenda.Remove(s.bonn.plan.Key)
	s.agenda.Add(older)
	require.Equal(t, want, s.agenda.Overtaken(older, s.now), "that is over")
	b, err := older.Step(want[0])
	require.NoError(t, err)
	s.agenda.Note(older, b, nil)
	require.Empty(t, s.agenda.Overtaken(older, s.now))
}

// Who waits for a newer rollout to be taken back is asked again when that is over without.
func TestWhoIsOverNeedNotBeTakenBack(t *testing.T) {
	s := newSisters(t, 0)
	older := s.overtakes(t)
	for _, m := range []*Machine{older, s.bonn} {
		m.rings[0].gate.Soak = policy.Duration(time.Hour) // or it is over
		s.takes(t, m)
		s.succeed(t, m)
	}
	tell := func(m *Machine, c Command) bool {
		c.By, c.Reason = "hans", "no sound"
		b, err := m.Step(Commanded{s.now, c})
		require.NoError(t, err)
		return s.agenda.Note(m, b, nil)
	}
	tell(older, Command{Do: DoUndo})
	require.Empty(t, s.takes(t, older), "the newer one lies above")
	tell(s.bonn, Command{Do: DoHalt})
	require.Empty(t, s.takes(t, older), "it may be taken back still")
	require.True(t, tell(s.bonn, Command{Do: DoCancel}))
	require.Len(t, s.takes(t, older), 3)
}

// A device that failed before anything was installed there is at work, too, once an installation was begun by hand.
func TestARetryByHandRacesToo(t *testing.T) {
	s := newSisters(t, 0)
	require.False(t, s.bonn.racing(0))
	s.bonn.dev[0].former, s.bonn.hands = Failed, make([]byHand, 3)
	s.bonn.attempt(0)
	require.True(t, s.bonn.racing(0))
}
