package sshfleet

import (
	"net"
	"net/http"
	"os"
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

	require.NoError(t, aptbed.System(t.Context(), root, s.arch, s.repo, "http://"+listener.Addr().String(), []string{stable, security}, names()...))
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
