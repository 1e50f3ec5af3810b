package root

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// The programs that the suite uses work on no root folder: they are allowed without options.
func TestRoot(t *testing.T) {
	plain := make(map[string][]string)
	for _, name := range []string{"sh", "cat", "printf", "env", "pwd", "mktemp", "mkdir", "rm", "touch", "true", "no-such-program", "program"} {
		plain[name] = nil
	}
	providertest.Transport(t, providertest.TransportHarness{New: func(t *testing.T) transport.Transport {
		r, err := New(Config{Dir: t.TempDir(), On: local.New(local.Config{}), Options: plain})
		require.NoError(t, err)
		return r
	}})
}

func TestDebianInAFolder(t *testing.T) {
	for _, name := range []string{"dpkg", "dpkg-query", "apt-get", "dpkg-deb"} {
		need.Tool(t, name)
	}
	dir := t.TempDir()
	for _, sub := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "var/lib/dpkg/info", "var/lib/dpkg/updates",
		"var/lib/dpkg/triggers", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt", "tmp", "pkg/DEBIAN"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	for name, text := range map[string]string{"var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "etc/apt/sources.list": "", "etc/apt/apt.conf.d/own": "Own::Setting \"yes\";\n",
		"pkg/DEBIAN/control": "Package: hello-root\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.com>\nDescription: x\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	machine := local.New(local.Config{})
	built, err := machine.Run(t.Context(), transport.Command{Argv: []string{"dpkg-deb", "--build", "--root-owner-group", dir + "/pkg", dir + "/hello.deb"}})
	require.NoError(t, err)
	require.True(t, built.OK(), "%s", built.Stderr)
	to, err := New(Config{Dir: dir, On: machine, Env: []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}})
	require.NoError(t, err)
	run := func(argv ...string) string {
		r, err := to.Run(t.Context(), transport.Command{Argv: argv})
		require.NoError(t, err)
		require.True(t, r.OK(), "%s: %s", r, r.Stderr)
		return string(r.Stdout)
	}
	run("dpkg", "--force-not-root", "--force-bad-path", "--force-unsafe-io", "-i", dir+"/hello.deb")
	require.Equal(t, "hello-root 1.0\n", run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n"), "nothing else is there")
	require.Contains(t, run("apt-get", "-s", "remove", "hello-root"), "Remv hello-root [1.0]")
	config := run("apt-config", "dump")
	require.Contains(t, config, "Own::Setting \"yes\"", "the configuration is that of the folder")
	if parts, err := machine.Run(t.Context(), transport.Command{Argv: []string{"apt-config", "dump", "APT::NeverAutoRemove"}}); err == nil && len(parts.Stdout) > 0 {
		require.NotContains(t, config, "APT::NeverAutoRemove", "and not that of this machine")
	}
	here, err := machine.Run(t.Context(), transport.Command{Argv: []string{"dpkg-query", "-W", "hello-root"}})
	require.NoError(t, err)
	require.False(t, here.OK(), "the system that runs has nothing of it")
}

func TestWhatIsRun(t *testing.T) {
	for name, row := range map[string]struct {
		with  Config
		argv  []string
		dir   string
		want  []string // nil if it is refused
		asked bool     // for the rights of root
	}{
		"options go behind the program": {Config{}, []string{"/usr/bin/rpm", "-qa"}, "", []string{"/usr/bin/rpm", "--root", "/a", "-qa"}, false},
		"options of one's own":          {Config{Options: map[string][]string{"x": {"-r"}}}, []string{"x", "y"}, "", []string{"x", "-r", "y"}, false},
		"a program that is not known":   {Config{}, []string{"systemctl", "reboot"}, "", nil, false},
		"a chroot":                      {Config{Chroot: true}, []string{"systemctl", "status"}, "", []string{"chroot", "/a", "systemctl", "status"}, true},
		"a chroot and a folder":         {Config{Chroot: true}, []string{"pwd"}, "/tmp", nil, false},
		"a bad command":                 {Config{Chroot: true}, []string{"-x"}, "", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got *transport.Command
			row.with.Dir = "/a/"
			row.with.On = transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
				got = &c
				return transport.Result{Ended: true}, nil
			})
			to, err := New(row.with)
			require.NoError(t, err)
			_, err = to.Run(t.Context(), transport.Command{Argv: row.argv, Dir: row.dir})
			if row.want == nil {
				require.Equal(t, patch.Permanent, patch.FaultOf(err))
				require.Nil(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, got.Argv)
			require.Equal(t, row.asked, got.Root)
		})
	}
	odd, err := New(Config{Dir: `/a"; APT::x "`, On: transport.Func(nil)})
	require.NoError(t, err)
	_, err = odd.Run(t.Context(), transport.Command{Argv: []string{"apt-get", "update"}})
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
	for _, dir := range []string{"", "a", "/", "//", "/a/.."} {
		_, err := New(Config{Dir: dir, On: transport.Func(nil)})
		require.ErrorContains(t, err, "Dir", dir)
	}
	_, err = New(Config{Dir: "/a"})
	require.ErrorContains(t, err, "On is nil")
}
