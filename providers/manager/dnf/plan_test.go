package dnf

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

// What dnf 4.14 printed; the second row goes on in the next line, as it does with narrow columns.
const planned = `test                                            3.4 MB/s | 3.5 kB     00:00    
Dependencies resolved.
================================================================================
 Package               Architecture     Version            Repository      Size
================================================================================
Upgrading:
 hello                 noarch           2:1.1-1            test           6.0 k
     replacing  oldhello.noarch 1.0-1
 a-very-long-name-of-a-package-that-goes-on
                       noarch           5.1-1              test           6.0 k
Installing dependencies:
 fresh                 x86_64           1.0-1.el9_4        test           1.2 M
Removing:
 rival                 noarch           1.0-1              @test          6.0 k
Skipping packages with broken dependencies:
 needs                 noarch           2.0-1              test           6.0 k

Transaction Summary
================================================================================
Upgrade  2 Packages
`

func TestReadMoves(t *testing.T) {
	moves, err := readMoves([]byte(planned))
	require.NoError(t, err)
	require.Equal(t, []manager.Move{
		{Name: "hello", Arch: "noarch", To: "2:1.1-1"}, {Remove: true, Name: "oldhello", From: "1.0-1"},
		{Name: "a-very-long-name-of-a-package-that-goes-on", Arch: "noarch", To: "5.1-1"}, {Name: "fresh", Arch: "x86_64", To: "1.0-1.el9_4"},
		{Remove: true, Name: "rival", Arch: "noarch", From: "1.0-1"},
	}, moves)
	for _, text := range []string{"", "Nothing to do.\n", "Dependencies resolved.\nNothing to do.\n"} {
		moves, err := readMoves([]byte(text))
		require.NoError(t, err)
		require.Empty(t, moves)
	}
	for _, rows := range []string{"Upgrading:\n hello noarch 1.1-1\n", "Enabling module streams:\n nodejs 18\n", " hello noarch 1.1-1 test 6.0 k\n", "Upgrading:\n -x noarch 1.1-1 test 6.0 k\n",
		"Upgrading:\n hello noarch 1.1 test 6.0 k\n", "Upgrading:\n replacing x\n"} {
		_, err := readMoves([]byte("Dependencies resolved.\n" + rows + "\nTransaction Summary\n"))
		require.ErrorContains(t, err, "is not understood", rows)
		require.Equal(t, patch.Permanent, patch.FaultOf(err))
	}
}

func TestHeldIn(t *testing.T) {
	require.Equal(t, map[string]bool{"hello": true, "java-1.8.0-openjdk": true},
		heldIn("# added by hand\nhello-0:1.0-1.*\njava-1.8.0-openjdk-1:1.8.0-2.el9.*\n!rival-0:2.0-1.*\nodd\n\n"))
}

// Scripts of packages say what they like once the transaction runs.
func TestClassifyDoesNotListenToScripts(t *testing.T) {
	r := transport.Result{Ended: true, Code: 1, Stdout: []byte("Running transaction\nNo space left on device\n"), Stderr: []byte("Error: Transaction failed\n")}
	require.Equal(t, patch.Transient, patch.FaultOf(Classify(r)))
	require.NoError(t, Classify(transport.Result{Ended: true}))
	require.Equal(t, patch.Busy, patch.FaultOf(Classify(transport.Result{Ended: true, Code: 200, Stderr: []byte("RPMDB already locked by 7\n")})))
	require.ErrorIs(t, scripts(transport.Result{Ended: true, Stderr: []byte("Error in POSTIN scriptlet in rpm package badpost\n")}), manager.ErrUnfinished)
}

func FuzzReadMoves(f *testing.F) {
	f.Add([]byte(planned))
	f.Fuzz(func(t *testing.T, text []byte) {
		moves, err := readMoves(text)
		if err != nil {
			require.Empty(t, moves)
		}
	})
}
