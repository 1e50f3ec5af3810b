package sshfleet

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/internal/need"
)

func TestMain(m *testing.M) { fleetbed.Main(m) }

const (
	stable, security = "stable", "stable-security"
	before, after    = "1.0", "1.1"
)

// names are the packages of every device.
func names() []string { return []string{"ledger", "vault"} }

// restarts says whether device i wants a restart after it was patched.
func restarts(i int) bool { return i%4 == 1 }

// A site is an archive and the devices that install from it.
type site struct {
	*fleetbed.Bed
	repo *aptbed.Repo
	arch string
}

// newSite makes n devices that have the old versions of both packages.
func newSite(t *testing.T, n int) *site {
	t.Helper()
	return newSiteOf(t, n, fleetbed.From)
}

// newSiteOf does so with devices of another kind.
func newSiteOf(t *testing.T, n int, devices func(t testing.TB, n int, image func(root string)) *fleetbed.Bed) *site {
	t.Helper()
	need.Root(t)
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	dir := t.TempDir()
	arch, err := aptbed.Arch(t.Context())
	require.NoError(t, err)
	s := &site{arch: arch}
	s.repo, err = aptbed.NewRepo(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.repo.Close() })
	for _, name := range names() {
		require.NoError(t, s.repo.Add(stable, aptbed.Package{Name: name, Version: before}))
	}
	require.NoError(t, s.repo.Publish(t.Context(), stable, arch, time.Time{}))
	require.NoError(t, s.repo.Publish(t.Context(), security, arch, time.Time{}))
	s.Bed = devices(t, n, func(root string) { s.image(t, root) })
	for i, d := range s.Devices {
		if restarts(i) {
			require.NoError(t, os.WriteFile(filepath.Join(d.Root, "etc", "wants-restart"), nil, 0o644))
		}
	}
	return s
}

// image gives a root folder a package database of its own, and has it install from the archive, which is served from now on.
func (s *site) image(t *testing.T, root string) {
	t.Helper()
	listener, err := net.Listen("tcp", fleetbed.Gateway+":0")
	require.NoError(t, err)
	server := &http.Server{Handler: http.FileServer(http.Dir(s.repo.Dir)), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	key, err := os.ReadFile(s.repo.Key)
	require.NoError(t, err)
	for _, dir := range []string{"etc/apt", "var/lib/dpkg", "var/lib/apt", "var/cache/apt", "var/log/apt"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, dir)))
	}
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg/info",
		"var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/dpkg/parts", "var/lib/dpkg/alternatives", "var/lib/apt/lists/partial",
		"var/lib/apt/periodic", "var/cache/apt/archives/partial", "var/log/apt", "usr/share/update-notifier"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	sources := ""
	for _, suite := range []string{stable, security} {
		sources += fmt.Sprintf("deb [signed-by=/etc/apt/archive.asc] http://%s %s main\n", listener.Addr(), suite)
	}
	for name, content := range map[string]string{
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "var/lib/dpkg/arch": s.arch + "\n",
		"etc/apt/archive.asc": string(key), "etc/apt/sources.list": sources,
		"etc/apt/apt.conf.d/bed": "Acquire::Languages \"none\";\nAcquire::Retries \"0\";\nAcquire::http::Timeout \"5\";\n",
		"etc/os-release":         "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
		"usr/share/update-notifier/notify-reboot-required": "",
	} {
		path := filepath.Join(root, name)
		_ = os.Remove(path) // it may be a link
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	_ = os.Remove(filepath.Join(root, "etc/localtime")) // the log of dpkg is in UTC
	script := `set -e
mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
chroot "$1" apt-get -qq update
root=$1
shift
exec chroot "$root" apt-get -qq -y install "$@"`
	c := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "--pid", "--fork", "sh", "-c", script, "sh", root}, names()...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Remove(filepath.Join(root, dpkgLog)))
}

// publish offers the new versions. Installing takes a moment, as it does with larger packages.
func (s *site) publish(t *testing.T) {
	t.Helper()
	s.publishWith(t, `sleep 0.3
if [ -e /etc/wants-restart ]; then echo due >/run/reboot-required; fi`)
}

// publishWith offers new versions with a script that ends their installation.
func (s *site) publishWith(t *testing.T, script string) {
	t.Helper()
	for _, name := range names() {
		require.NoError(t, s.repo.Add(security, aptbed.Package{Name: name, Version: after, Size: 1 << 18, Postinst: script}))
	}
	require.NoError(t, s.repo.Publish(t.Context(), security, s.arch, time.Time{}))
}
