package snapshot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/snapshot"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "0", "before-patching", "q1.canary_2", strings.Repeat("a", snapshot.MaxName)} {
		require.NoError(t, snapshot.CheckName(name), name)
	}
	for _, name := range []string{"", ".", "..", "-r", "_a", "A", "a/b", "a b", "a\nb", "ä", "a\x00", "$x", "*", strings.Repeat("a", snapshot.MaxName+1)} {
		err := snapshot.CheckName(name)
		require.ErrorContains(t, err, "no name for a snapshot", "%q", name)
		require.Equal(t, patch.Permanent, patch.FaultOf(err))
	}
}

func TestNameOf(t *testing.T) {
	seen := make(map[string]string)
	for _, id := range []string{"", "/", "a", "A", "acme:q1/canary/ada/install/2", "acme:q1/canary/ada/install/3", "..", "-rf", "日本",
		strings.Repeat("x", 1000), strings.Repeat("x", 1001)} {
		name := snapshot.NameOf(id)
		require.NoError(t, snapshot.CheckName(name), "%q", id)
		require.Empty(t, seen[name], "%q and %q have one name", id, seen[name])
		seen[name] = "of " + id
	}
}

func FuzzNameOf(f *testing.F) {
	f.Add("acme:q1/canary/ada/install/2")
	f.Fuzz(func(t *testing.T, id string) { require.NoError(t, snapshot.CheckName(snapshot.NameOf(id))) })
}

func TestRecent(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	made := func(ago time.Duration) snapshot.Snapshot { return snapshot.Snapshot{Name: "a", At: now.Add(-ago)} }
	require.True(t, made(time.Hour).Recent(now, time.Hour))
	require.False(t, made(time.Hour+time.Second).Recent(now, time.Hour))
	require.True(t, made(1000*time.Hour).Recent(now, 0), "any will do")
	require.False(t, made(-time.Second).Recent(now, time.Hour), "the device's clock is wrong: how old it is is not known")
	require.False(t, snapshot.Snapshot{}.Recent(now, 0))
}

func ExampleNameOf() {
	fmt.Println(snapshot.NameOf("acme:q1/canary/ada/install/2"))
	// Output: acme-q1-canary-ada-install-2-789f274f7ca09ef0
}
