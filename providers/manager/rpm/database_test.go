package rpm

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/transport"
)

// on is a database whose device gives these answers, by the beginning of what it is asked.
func on(t *testing.T, answers map[string]transport.Result, look func(d Database)) {
	t.Helper()
	to := transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
		line := strings.Join(c.Argv, " ")
		for begin, r := range answers {
			if strings.HasPrefix(line, begin) {
				return r, nil
			}
		}
		t.Fatalf("unexpected: %s", line)
		return transport.Result{}, nil
	})
	var d Database
	f, err := manager.New(manager.Config{Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		return manager.Device{To: to}, nil
	}}, manager.Kind{Name: "rpm", Words: grammar.RPM("rpm"), Open: func(m *manager.Access) manager.Tool {
		d = Database{Access: m, Held: func(text string) func(string) bool {
			return func(name string) bool { return name == strings.TrimSpace(text) }
		}, Locks: "etc/locks"}
		return tool{d}
	}})
	require.NoError(t, err)
	_, _ = f.Scan(t.Context(), inventory.Device{})
	look(d)
}

type tool struct{ Database }

func (tool) Plan(context.Context, manager.Job) ([]manager.Move, error) { return nil, nil }
func (tool) Carry(context.Context, manager.Job) error                  { return nil }

func ok(stdout string) transport.Result { return transport.Result{Ended: true, Stdout: []byte(stdout)} }

func row(fields ...string) string { return strings.Join(fields, "\t") + "\n" }

func at(text string) version.Version { return version.Version{Scheme: version.RPM, Text: text} }

func TestLookAtADatabase(t *testing.T) {
	release := "file etc/os-release\n ID=almalinux\n VERSION_ID=\"9.4\"\n\n"
	list := row("rpm", "(none)", "4.18", "1", "x86_64", "(none)", "1", "(none)") + row("hello", "2", "1.0", "1", "noarch", "(none)", "1", "(none)") +
		row("hello", "2", "2.0", "1", "noarch", "(none)", "2", "(none)") + row("kernel", "(none)", "5", "1", "x86_64", "(none)", "1", "(none)") + row("kernel", "(none)", "6", "1", "x86_64", "(none)", "50", "(none)")
	answers := map[string]transport.Result{
		"sh":  ok(release + "file proc/sys/kernel/random/boot_id\n abc\n\nfile etc/locks\n kernel\n\nbtime 20\ndatabase\nend\n"),
		"rpm": ok(list),
	}
	on(t, answers, func(d Database) {
		s, err := d.Look(t.Context())
		require.NoError(t, err)
		require.Equal(t, "abc", s.Scan.BootID)
		require.Equal(t, patch.Yes, s.Scan.PendingReboot, "a kernel is newer than the boot")
		require.Equal(t, inventory.Partial, s.Scan.Coverage[0].Status)
		require.ErrorIs(t, s.Wrong, patch.ErrCorrupt)
		require.NoError(t, s.Unsure)
		require.Equal(t, "x86_64", s.Native)
		require.Len(t, s.Packages, 3)
		require.Equal(t, manager.State{Name: "hello", Arch: "noarch", Ecosystem: "AlmaLinux:9", Version: at("2:1.0-1"), Damaged: true}, s.Packages[1])
		require.Equal(t, manager.State{Name: "kernel", Arch: "x86_64", Ecosystem: "AlmaLinux:9", Version: at("6-1"), Held: true}, s.Packages[2])
	})
	for name, c := range map[string]struct{ sh, rpm transport.Result }{
		"no database":   {ok(release + "end\n"), ok(list)},
		"no os-release": {ok("database\nend\n"), ok(list)},
		"rpm fails":     {ok(release + "database\nend\n"), transport.Result{Ended: true, Code: 1, Stderr: []byte("error: rpmdb open failed\n")}},
		"nothing there": {ok(release + "database\nend\n"), ok("")},
		"cut off":       {ok(release + "database\nend\n"), transport.Result{Ended: true, StdoutCut: 1}},
	} {
		on(t, map[string]transport.Result{"sh": c.sh, "rpm": c.rpm}, func(d Database) {
			s, err := d.Look(t.Context())
			require.NoError(t, err, name)
			require.Nil(t, s.Scan.Software, name)
			require.Error(t, s.Wrong, name)
			require.Equal(t, inventory.Failed, s.Scan.Coverage[0].Status, name)
		})
	}
	on(t, map[string]transport.Result{"sh": ok(release + "database\n"), "rpm": ok(list)}, func(d Database) {
		_, err := d.Look(t.Context())
		require.ErrorContains(t, err, "cut off")
	})
}

func TestReadyWaitsForALock(t *testing.T) {
	on(t, map[string]transport.Result{"sh": ok("process 7 works with it\n")}, func(d Database) {
		now := time.Unix(0, 0)
		d.Lock, d.Poll, d.Now = time.Minute, time.Nanosecond, func() time.Time { now = now.Add(20 * time.Second); return now }
		err := d.Ready(t.Context())
		require.ErrorIs(t, err, patch.ErrBusy)
		require.ErrorContains(t, err, "process 7 works with it")
		require.Equal(t, int64(80), now.Unix(), "it has asked three times")
	})
}

func TestWhatWasAltered(t *testing.T) {
	require.Equal(t, "/usr/bin/x was altered", alteredIn([]byte("S.5....T.  c /etc/x.conf\nmissing   d /usr/share/doc/x\n.......T.    /usr/y\nS.5....T.    /usr/bin/x\n")))
	require.Equal(t, "/usr/z is missing", alteredIn([]byte("missing     /usr/z\n")))
	require.Empty(t, alteredIn([]byte("S.5....T.  c /etc/x.conf\n.M.......  g /var/x\nnonsense\n\n")))
	require.Equal(t, "b-2", newestEntry([]byte("7 a-1\n12 b-2\nx\n9 c-3\n")))
}
