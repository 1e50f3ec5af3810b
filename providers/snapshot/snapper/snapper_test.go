package snapper

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/snapshottest"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/providers/snapshot/internal/loop"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// bed makes a file system with a configuration of snapper, and returns where it is mounted and what the configuration is called.
func bed(t *testing.T) (top, configuration string) {
	t.Helper()
	need.Tool(t, "snapper")
	_, image := loop.Btrfs(t)
	top = loop.Mount(t, image, "subvol=/")
	configuration = fmt.Sprintf("patchflow-test-%08x", crc32.ChecksumIEEE([]byte(top)))
	loop.Run(t, "snapper", "--no-dbus", "-c", configuration, "create-config", "-f", "btrfs", top)
	t.Cleanup(func() { loop.Run(t, "snapper", "--no-dbus", "-c", configuration, "delete-config") })
	return top, configuration
}

func TestConformance(t *testing.T) {
	providertest.Snapshotter(t, providertest.SnapshotterHarness{New: func(t *testing.T) (snapshot.Snapshotter, providertest.SnapshotFiles) {
		top, configuration := bed(t)
		s, err := New(Config{To: local.New(local.Config{}), Configuration: configuration})
		require.NoError(t, err)
		return s, providertest.SnapshotFiles{
			Write: func(t *testing.T, path, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(top, path), []byte(text), 0o600))
			},
			Read: func(t *testing.T, path string) (string, bool) {
				b, err := os.ReadFile(filepath.Join(top, path))
				if err != nil {
					require.ErrorIs(t, err, os.ErrNotExist)
				}
				return string(b), err == nil
			},
		}
	}})
}

func TestADeviceIsTakenBackToItsSnapshot(t *testing.T) {
	top, configuration := bed(t)
	s, err := New(Config{To: local.New(local.Config{}), Configuration: configuration})
	require.NoError(t, err)
	snapshottest.TakenBack(t, top, s)
}

// What snapper does not see it does not take back, as the comment of the package says: a file of the same time, whatever is in it.
func TestAFileOfTheSameTimeIsNotTakenBack(t *testing.T) {
	top, configuration := bed(t)
	s, err := New(Config{To: local.New(local.Config{}), Configuration: configuration})
	require.NoError(t, err)
	write := func(name, text string, at time.Time) {
		require.NoError(t, os.WriteFile(filepath.Join(top, name), []byte(text), 0o600))
		require.NoError(t, os.Chtimes(filepath.Join(top, name), at, at))
	}
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"same", "later", "longer"} {
		write(name, "one", at)
	}
	_, err = s.Create(t.Context(), "a")
	require.NoError(t, err)
	write("same", "two", at)
	write("later", "two", at.Add(time.Second))
	write("longer", "three", at)
	_, err = s.Restore(t.Context(), "a")
	require.NoError(t, err)
	for name, want := range map[string]string{"same": "two", "later": "one", "longer": "three"} {
		b, err := os.ReadFile(filepath.Join(top, name))
		require.NoError(t, err)
		require.Equal(t, want, string(b), name)
	}
}

// What others keep in the same configuration is neither listed nor deleted.
func TestOthersAreLeftAlone(t *testing.T) {
	_, configuration := bed(t)
	loop.Run(t, "snapper", "--no-dbus", "-c", configuration, "create", "--description", "a", "--userdata", "important=yes")
	s, err := New(Config{To: local.New(local.Config{}), Configuration: configuration})
	require.NoError(t, err)
	list, err := s.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = s.Create(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "a"))
	require.Contains(t, loop.Run(t, "snapper", "--no-dbus", "-c", configuration, "list"), "important=yes")
}

func TestAConfigurationThatIsNotThere(t *testing.T) {
	need.Root(t)
	need.Tool(t, "snapper")
	s, err := New(Config{To: local.New(local.Config{}), Configuration: "patchflow-test-none"})
	require.NoError(t, err)
	_, err = s.Create(t.Context(), "a")
	require.ErrorContains(t, err, "patchflow-test-none")
}

func TestConfig(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "To is nil")
	for _, bad := range []string{"-c", "a b", "a/b", "a\n"} {
		_, err := New(Config{To: local.New(local.Config{}), Configuration: bad})
		require.ErrorContains(t, err, "Configuration")
	}
	s, err := New(Config{To: local.New(local.Config{})})
	require.NoError(t, err)
	require.Equal(t, "root", s.(*keeper).Configuration)
}

func TestParseList(t *testing.T) {
	all, err := parseList([]byte(`{"root":[{"number":0,"date":"","userdata":null},
		{"number":3,"date":"2026-11-26 12:11:46","userdata":{"patchflow":"b"}},
		{"number":4,"date":"2026-11-26 12:11:46","userdata":{"patchflow":"a"}},
		{"number":5,"date":"2026-11-26 12:11:46","userdata":{"patchflow":"../a"}},
		{"number":6,"date":"2026-11-26 12:11:46","userdata":{"important":"yes"}}]}`), "root")
	require.NoError(t, err)
	at := time.Date(2026, 11, 26, 12, 11, 46, 0, time.UTC)
	require.Equal(t, []numbered{{snapshot.Snapshot{Name: "a", At: at}, 4}, {snapshot.Snapshot{Name: "b", At: at}, 3}}, all)
	for _, bad := range []string{"", "[]", "{}", `{"home":[]}`, `{"root":[{"number":3,"date":"today","userdata":{"patchflow":"b"}}]}`} {
		_, err := parseList([]byte(bad), "root")
		require.Error(t, err, bad)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte(`{"root":[{"number":3,"date":"2026-11-26 12:11:46","userdata":{"patchflow":"b"}}]}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		all, _ := parseList(out, "root")
		for _, s := range all {
			require.NoError(t, snapshot.CheckName(s.Name))
			require.NotZero(t, s.number)
		}
	})
}
