package fleetbed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
)

func TestMain(m *testing.M) { Main(m) }

// on runs a script on a device.
func on(t *testing.T, b *Bed, d *Device, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	host, _, _ := strings.Cut(d.Addr, ":")
	out, err := exec.CommandContext(ctx, "ssh", "-F", "none", "-i", b.Key, "-o", "UserKnownHostsFile="+b.KnownHosts,
		"-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", "root@"+host, script).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, b *Bed, d *Device, script string) string {
	t.Helper()
	out, err := on(t, b, d, script)
	require.NoError(t, err, out)
	return out
}

const bootID = "cat /proc/sys/kernel/random/boot_id"

func TestBed(t *testing.T) {
	b := New(t, 3)
	need.Tool(t, "ssh")
	ada, bob, eve := b.Devices[0], b.Devices[1], b.Devices[2]

	t.Run("each is a machine of its own", func(t *testing.T) {
		for _, d := range b.Devices {
			require.Equal(t, d.Name, must(t, b, d, "hostname"))
			require.Equal(t, "2", must(t, b, d, "ls /proc | grep -xc -e 1 -e cpuinfo"))
			must(t, b, d, "echo "+d.Name+" >/etc/who; touch /usr/bin/fleetbed-program")
		}
		for _, d := range b.Devices {
			require.Equal(t, d.Name, must(t, b, d, "cat /etc/who"))
		}
		_, err := os.Stat("/etc/who")
		require.ErrorIs(t, err, os.ErrNotExist, "the machine itself is as it was")
		who, err := os.ReadFile(filepath.Join(bob.Root, "etc", "who"))
		require.NoError(t, err)
		require.Equal(t, "d2\n", string(who))
	})
	t.Run("what runs is gone with the power and what was written is not", func(t *testing.T) {
		boot := must(t, b, ada, bootID)
		must(t, b, ada, "nohup sleep 1000 >/dev/null 2>&1 & echo before >/etc/kept; echo gone >/run/gone")
		ada.Cut()
		_, err := net.DialTimeout("tcp", ada.Addr, time.Second)
		require.Error(t, err)
		ada.Cut() // twice is once
		ada.On(t)
		ada.Wait(t)
		require.Equal(t, "before", must(t, b, ada, "cat /etc/kept"))
		require.Equal(t, "no", must(t, b, ada, "test -e /run/gone || echo no"))
		require.Equal(t, "no", must(t, b, ada, "pgrep -x sleep || echo no"))
		require.NotEqual(t, boot, must(t, b, ada, bootID))
		require.Equal(t, 2, ada.Boots())
	})
	t.Run("a device restarts itself", func(t *testing.T) {
		boot := must(t, b, bob, bootID)
		_, _ = on(t, b, bob, "reboot") // the connection is lost
		require.Eventually(t, func() bool { return bob.Boots() == 2 }, time.Minute, 10*time.Millisecond)
		bob.Wait(t)
		require.NotEqual(t, boot, must(t, b, bob, bootID))
	})
	t.Run("a device without its cable goes on", func(t *testing.T) {
		boot := must(t, b, eve, bootID)
		eve.Unplug(t)
		out, err := on(t, b, eve, "true")
		require.Error(t, err)
		require.Contains(t, out, "timed out")
		eve.Plug(t)
		eve.Wait(t)
		require.Equal(t, boot, must(t, b, eve, bootID))
	})
	t.Run("devices reach what the test serves and nothing else", func(t *testing.T) {
		listener, err := net.Listen("tcp", Gateway+":0")
		require.NoError(t, err)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.RemoteAddr) })}
		go func() { _ = s.Serve(listener) }()
		defer s.Close()
		got := must(t, b, ada, fmt.Sprintf(`exec 3<>/dev/tcp/%s/%d; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3`, Gateway, listener.Addr().(*net.TCPAddr).Port))
		require.Contains(t, got, "hello 10.77.1.1:")
		routes := must(t, b, ada, "ip route")
		require.NotContains(t, routes, "default")
	})
}

// After a test everything is as it was before, so that another may follow. What devices have in common is their own from then on.
func TestAgain(t *testing.T) {
	b := From(t, 2, func(root string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, "etc", "common"), []byte("image\n"), 0o644))
		require.NoError(t, os.RemoveAll(filepath.Join(root, "etc", "apt")))
	})
	need.Tool(t, "ssh")
	must(t, b, b.Devices[0], "test ! -e /etc/apt; echo mine >/etc/common")
	require.Equal(t, "image", must(t, b, b.Devices[1], "cat /etc/common; test ! -e /etc/apt"))
	_, err := os.Stat("/etc/common")
	require.ErrorIs(t, err, os.ErrNotExist, "the machine itself is as it was")
	require.Equal(t, "d2", must(t, b, b.Devices[1], "hostname"))
	_, err = os.Stat(filepath.Join(b.Devices[0].Root, "etc", "kept"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A device with systemd shuts down and starts again by itself, with its services, and loses its power like any other.
func TestSystemd(t *testing.T) {
	b := Systemd(t, 2, nil)
	need.Tool(t, "ssh")
	d := b.Devices[0]
	require.Equal(t, "running", must(t, b, d, "systemctl is-system-running --wait || { systemctl --failed --plain --no-legend; false; }"))
	require.Equal(t, "d1", must(t, b, d, "hostname"))
	boot := must(t, b, d, bootID)
	require.NotEqual(t, boot, must(t, b, b.Devices[1], bootID))
	must(t, b, d, "echo before >/etc/kept; echo gone >/run/gone")
	_, _ = on(t, b, d, "systemctl reboot") // the connection is lost
	require.Eventually(t, func() bool { return d.Boots() == 2 }, time.Minute, 10*time.Millisecond)
	d.Wait(t)
	again := must(t, b, d, bootID)
	require.NotEqual(t, boot, again)
	require.Equal(t, "before no", must(t, b, d, "cat /etc/kept | tr '\\n' ' '; test -e /run/gone || echo no"))
	d.Cut()
	_, err := net.DialTimeout("tcp", d.Addr, time.Second)
	require.Error(t, err)
	d.On(t)
	d.Wait(t)
	require.NotEqual(t, again, must(t, b, d, bootID))
	_, _ = on(t, b, d, "systemctl poweroff")
	require.Eventually(t, func() bool { _, err := on(t, b, d, "true"); return err != nil }, time.Minute, 10*time.Millisecond)
	require.Equal(t, 3, d.Boots(), "it stays off")
}
