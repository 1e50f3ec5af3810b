package pacman

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

func TestReadMoves(t *testing.T) {
	moves, err := readMoves([]byte("loading packages...\nwould install: hello 1:2.0-1\nwould install: fresh 1.0-1.1\n"))
	require.NoError(t, err)
	require.Equal(t, []manager.Move{{Name: "hello", To: "1:2.0-1"}, {Name: "fresh", To: "1.0-1.1"}}, moves)
	for _, line := range []string{"hello", "-x 1-1", "hello 1", "hello 1-1 x"} {
		_, err := readMoves([]byte("would install: " + line + "\n"))
		require.Equal(t, patch.Permanent, patch.FaultOf(err), line)
	}
}

func TestWhatTheDatabaseSays(t *testing.T) {
	ver := func(v string) version.Version { return version.Version{Scheme: version.Arch, Text: v} }
	s := sight("boot abc\nrestart\ndatabase\npackage glibc-2.40-1\n %NAME%\n glibc\n \n %VERSION%\n 2.40-1\n \n %BASE%\n glibc\n \n %ARCH%\n x86_64\n\n"+
		"package lib32-zlib-1.3-1\n %NAME%\n lib32-zlib\n \n %BASE%\n zlib\n \n %VERSION%\n 1.3-1\n \n %ARCH%\n x86_64\n\npackage hello-2.0-1\nend\n", []string{"lib32-*"})
	require.Equal(t, "abc", s.Scan.BootID)
	require.Equal(t, patch.Yes, s.Scan.PendingReboot)
	require.Equal(t, "x86_64", s.Native)
	require.Equal(t, []inventory.Software{
		{Manager: "pacman", Ecosystem: "Arch", Name: "glibc", Arch: "x86_64", Version: ver("2.40-1")},
		{Manager: "pacman", Ecosystem: "Arch", Name: "lib32-zlib", Source: "zlib", Arch: "x86_64", Version: ver("1.3-1"), Held: true},
	}, s.Scan.Software)
	require.Equal(t, manager.State{Name: "hello", Ecosystem: "Arch", Version: ver("2.0-1"), Damaged: true}, s.Packages[2])
	require.ErrorIs(t, s.Wrong, patch.ErrCorrupt)
	require.NoError(t, s.Unsure)
	require.Equal(t, inventory.Partial, s.Scan.Coverage[0].Status)

	for _, text := range []string{"end\n", "database\nend\n", "database\npackage odd\nend\n", "database\npackage x-1-1\n %NAME%\n --root=/\n \n %VERSION%\n 1-1\nend\n"} {
		s := sight(text, nil)
		require.Error(t, s.Wrong, text)
		require.Nil(t, s.Scan.Software, text)
		require.Equal(t, inventory.Failed, s.Scan.Coverage[0].Status)
	}
}

func TestWhatWasAltered(t *testing.T) {
	require.Equal(t, "/usr/bin/x was altered", alteredIn([]byte(`backup file: x: /etc/x.conf (MD5 checksum mismatch)
warning: x: /usr/share/man/x (No such file or directory)
warning: x: /usr/y (Modification time mismatch)
warning: x: /usr/bin/x (SHA256 checksum mismatch)
`)))
	require.Equal(t, "/usr/z is missing", alteredIn([]byte("warning: x: /usr/z (No such file or directory)\n")))
	require.Empty(t, alteredIn([]byte("x: 1 total file, 0 altered files\nwarning: nonsense\n")))
}

// Scripts of packages say what they like, but not in pacman's name.
func TestClassifyDoesNotListenToScripts(t *testing.T) {
	r := transport.Result{Ended: true, Code: 1, Stderr: []byte("No space left on device\n")}
	require.Equal(t, patch.Transient, patch.FaultOf(Classify(r)))
	require.NoError(t, Classify(transport.Result{Ended: true}))
}

func FuzzSight(f *testing.F) {
	f.Add(" %0\n 0") // a field of no package
	f.Add("database\npackage hello-2.0-1\n %NAME%\n hello\n %VERSION%\n 2.0-1\nend\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := sight(text, []string{"["})
		for _, p := range s.Scan.Software {
			require.NotEmpty(t, p.Name)
			_, err := p.Version.Key()
			require.NoError(t, err)
		}
		require.False(t, s.Scan.Software == nil && s.Wrong == nil)
	})
}
