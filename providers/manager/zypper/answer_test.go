package zypper

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/transport"
)

// What zypper 1.14 printed, put together from several answers.
const planned = `<?xml version='1.0'?>
<stream>
<message type="info">Loading repository data...</message>
<install-summary download-size="12136" space-usage-diff="10" packages-to-change="2">
<to-upgrade>
<solvable type="package" name="needs" edition="2:2.1-1" arch="noarch" edition-old="1.0-1" arch-old="noarch" summary="made for tests">
<description>made for tests</description></solvable>
</to-upgrade>
<to-install>
<solvable type="package" name="fresh" edition="1.0-1" arch="x86_64" summary="made for tests"/>
<solvable type="patch" name="TEST-SA-2026:0001" edition="1" arch="noarch"/>
</to-install>
<to-remove>
<solvable type="package" name="rival" edition="1.0-1" arch="noarch"/>
</to-remove>
</install-summary>
<prompt id="0">
<text>Continue?</text>
</prompt>
</stream>
`

func TestReadWhatWouldBeDone(t *testing.T) {
	a := read([]byte(planned))
	require.NoError(t, a.odd)
	require.True(t, a.whole)
	require.EqualValues(t, 12136, a.size)
	require.Equal(t, []manager.Move{
		{Name: "needs", Arch: "noarch", From: "1.0-1", To: "2:2.1-1"}, {Name: "fresh", Arch: "x86_64", To: "1.0-1"},
		{Name: "patch:TEST-SA-2026:0001", Arch: "noarch", To: "1"}, {Remove: true, Name: "rival", Arch: "noarch", From: "1.0-1"},
	}, a.moves)
	cut, _, _ := strings.Cut(planned, "<prompt")
	require.False(t, read([]byte(cut)).whole, "an answer that is cut off")
	for _, change := range [][2]string{{"to-upgrade>", "to-transmute>"}, {`name="needs"`, `name="-needs"`}, {`edition="2:2.1-1"`, `edition="2.1"`}, {`arch="x86_64"`, `arch="x86 64"`}} {
		a := read([]byte(strings.ReplaceAll(planned, change[0], change[1])))
		require.ErrorContains(t, a.odd, "is not understood", change[1])
		require.Equal(t, patch.Permanent, patch.FaultOf(a.odd))
	}
}

func TestHeldBy(t *testing.T) {
	held := heldBy("\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: hel*\n\n\ntype: package\nmatch_type: exact\ncase_sensitive: off\nsolvable_name: Rival\n\n" +
		"type: patch\nmatch_type: glob\nsolvable_name: conf\n\ntype: package\nmatch_type: regex\nsolvable_name: .*\n\ntype: package\nmatch_type: glob\nsolvable_name: some\nversion: > 2\n\n" +
		"type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: last")
	for name, want := range map[string]bool{"hello": true, "rival": true, "RIVAL": true, "Hello": false, "conf": false, "some": false, "other": false, "last": true, "": false} {
		require.Equal(t, want, held(name), name)
	}
	require.False(t, heldBy("")("hello"))
}

// Scripts of packages say what they like: rpm's words reach zypper's notes, and its errors only behind rpm's own.
func TestClassifyDoesNotListenToScripts(t *testing.T) {
	said := func(code int, kind, words string) transport.Result {
		return transport.Result{Ended: true, Code: code, Stdout: []byte("<?xml version='1.0'?>\n<stream>\n<message type=\"" + kind + "\">" + words + "</message>\n</stream>\n")}
	}
	require.Equal(t, patch.Transient, patch.FaultOf(Classify(said(8, "info", "Additional rpm output:\nNo space left on device"))))
	require.Equal(t, patch.Permanent, patch.FaultOf(Classify(said(8, "error", "RPM failed: No space left on device\nerror: %prein(hello-2.0-1.noarch) scriptlet failed, exit status 7"))))
	require.Equal(t, patch.DiskFull, patch.FaultOf(Classify(said(8, "error", "RPM failed: No space left on device"))))
	require.ErrorIs(t, Classify(said(107, "info", "")), manager.ErrUnfinished)
	require.ErrorIs(t, Classify(said(104, "error", "Package 'hello' not found.")), manager.ErrNotOffered)
	for code, want := range map[int]patch.Fault{1: patch.Transient, 2: patch.Permanent, 3: patch.Permanent, 4: patch.Transient, 5: patch.Permanent, 6: patch.Permanent, 7: patch.Busy, 8: patch.Transient,
		104: patch.Permanent, 105: patch.Transient, 106: patch.Transient, 107: patch.Permanent, 127: patch.Permanent} {
		require.Equal(t, want, patch.FaultOf(Classify(transport.Result{Ended: true, Code: code})), code)
	}
	for _, code := range []int{0, 100, 101, 102, 103} {
		require.NoError(t, Classify(transport.Result{Ended: true, Code: code}), code)
	}
	require.Error(t, Classify(transport.Result{Ended: true, Signal: "killed"}))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(planned))
	f.Add([]byte("<stream><message type=\"error\">x\x00</message>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := read(text)
		for _, m := range a.moves {
			if a.odd == nil && !strings.Contains(m.Name, ":") {
				require.NoError(t, grammar.RPM("zypper").CheckName(m.Name))
			}
		}
	})
}
