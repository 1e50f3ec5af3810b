//go:build unix

package apt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/rollout"
)

// hostile returns names and versions that would do something else than to name a package, if a shell, apt or a path saw them.
func hostile(dir string) (names, versions []string) {
	pwned := filepath.Join(dir, "pwned")
	names = []string{
		"-oDPkg::Pre-Invoke::=touch " + pwned, "-o=DPkg::Pre-Invoke::=touch " + pwned, "--option=DPkg::Pre-Invoke::=touch " + pwned, "-c=" + pwned, "-y", "--yes",
		"--purge", "--allow-unauthenticated", "--reinstall", "--", "-", "hello-", "hello+", "rival-", "rival_", "rival/stable", "hello/stable-security", "hello.*", "hel*", "hello?", "hell[o]",
		"^hello$", "h.llo", ".*", "*", "~nhello", "?installed", "?name(hello)", "hello|rival", "hello rival-", "hello\trival-", "hello\nrival-", "hello\x00rival-", "hello:amd64", "hello:any", "hello:all-",
		"hello=2.0", "hello=*", "./hello.deb", "../hello.deb", "/var/hello.deb", dir + "/repo/hello.deb", "file:///etc/passwd", "http://example.com/x.deb", "task^", "hello^", "$(touch " + pwned + ")",
		"`touch " + pwned + "`", "hello;touch " + pwned, "hello&&touch " + pwned, "hello|touch " + pwned, "hello>" + pwned, "'hello'", "\"hello\"", "hello\\", "%s%n", "${Package}", "{hello,rival-}",
		"HELLO", "héllo", "hello\u202e", "hello\u00a0", "ｈello", "", " ", "h", strings.Repeat("a", 5000), "rival%2d", "@hello", "#hello", "!hello", "hello,rival-", "<hello>", "hello<= 9", "[!x]*", "hello\r", "\ufeffhello",
	}
	versions = []string{
		"2.0-", "2.0+", "*", "2.*", "2.0 rival-", "2.0\nrival-", "2.0/stable", "2.0=1.0", "$(touch " + pwned + ")", "`touch " + pwned + "`", "2.0;touch " + pwned, "-1", "--yes", "../2.0", "2.0\x00", "", " ",
		"1:2:3", ":2.0", "a2.0", "2.0'", "2.0\"", "2.0 ", "２.0", "2.0\u200b", "~2.0", "+2.0", "2.0#", "2.0%2d", "(2.0)", "2_0", "2.0\\", strings.Repeat("1", 5000), "${Version}", "2.0,rival-", "2.0|1.0", "2.0?", "[2].0", "^2.0", "2.0@",
		"2.0&", "2.0>" + pwned, "2.0!", "2.0\t", "2.0\r\n",
	}
	return names, versions
}

// Every hostile name and version is given to everything that takes one, on a device with real apt: nothing changes on it but the ledger.
func TestHostileNamesAndVersions(t *testing.T) {
	b := filled(t, nil)
	ctx := t.Context()
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "hello.deb"), aptbed.Package{Name: "rival", Version: "6.6.6"}.Deb(), 0o644))
	b.run(t, "apt-get", "check", "-qq") // apt writes its cache once
	look := func() map[string]string {
		files, err := b.root.Files("var/lib/patchflow")
		require.NoError(t, err)
		return files
	}
	before := look()
	names, versions := hostile(b.dir)
	require.GreaterOrEqual(t, len(names)+len(versions), 100)
	attack := func(p rollout.Pinned, what string) {
		t.Helper()
		c := content(p)
		r, err := b.fleet.Deploy(ctx, b.task(rollout.OpInstall, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
		r, err = b.fleet.Rollback(ctx, b.task(rollout.OpRollback, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
		_, err = b.fleet.Verify(ctx, b.task(rollout.OpVerify, c))
		require.Equal(t, patch.Permanent, patch.FaultOf(err), what)
		r, err = b.fleet.Download(ctx, b.task(rollout.OpDownload, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
	}
	for _, name := range names {
		p := pinned("hello", "2.0")
		p.Packages[0].Name = name
		if apt.CheckName(name) == nil { // as g++ is; the device does not have it
			require.Equal(t, patch.NotApplicable, b.deploy(t, p).Fault)
			require.Equal(t, patch.NotApplicable, patch.FaultOf(b.fleet.Hold(ctx, "acme", "ada", name)))
			continue
		}
		attack(p, fmt.Sprintf("name %.60q", name))
		require.Equal(t, patch.Permanent, patch.FaultOf(b.fleet.Hold(ctx, "acme", "ada", name)), "%q", name)
		require.Equal(t, patch.Permanent, patch.FaultOf(b.fleet.Unhold(ctx, "acme", "ada", name)), "%q", name)
		p = pinned("hello", "2.0")
		if name != "" { // which fits every device
			p.Packages[0].Arch = name
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
				attack(p, fmt.Sprintf("architecture %.60q", name))
			}
		}
	}
	for _, v := range versions {
		p := pinned("hello", "2.0")
		p.Packages[0].Fixed.Text = v
		attack(p, fmt.Sprintf("version %.60q", v))
	}
	require.Empty(t, aptbed.Names(before, look()))
	entries, err := os.ReadDir(b.dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NotEqual(t, "pwned", e.Name())
	}
	t.Logf("%d names, %d versions", len(names), len(versions))
}

// What the device itself says is as hostile as what a plan says.
func TestAHostileDevice(t *testing.T) {
	b := filled(t, nil)
	status, err := os.ReadFile(filepath.Join(b.root.Dir, "var/lib/dpkg/status"))
	require.NoError(t, err)
	b.write(t, "var/lib/dpkg/status", strings.Replace(string(status), "Package: hello\n", "Package: -oDPkg::Pre-Invoke::=touch pwned\n", 1))
	r := b.deploy(t, pinned("hello", "2.0"))
	require.NotEqual(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
}

// The guard is what stops them: apt itself does as they say.
func TestWhatAptWouldDoWithoutAGuard(t *testing.T) {
	b := filled(t, nil)
	out := b.run(t, "apt-get", "-s", "install", "--", "rival-")
	require.Contains(t, out, "Remv rival")
	out = b.run(t, "apt-get", "-s", "install", "--", "hel.*")
	require.Contains(t, out, "Inst hello")
	out = b.run(t, "apt-get", "-s", "install", "--", "hello=2.0+")
	require.Contains(t, out, "(2.0 ")
	pwned := filepath.Join(b.dir, "pwned")
	b.run(t, "apt-get", "-y", "install", "-oDPkg::Pre-Invoke::=touch "+pwned, "hello=1.1")
	require.FileExists(t, pwned)
	require.Error(t, apt.CheckName("rival-"))
}
