package managertest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// pwned is the file that hostile words would write.
func pwned(dir string) string { return filepath.Join(dir, "pwned") }

// HostileNames returns names that would do something else than to name a package, if a shell, a package manager or a path saw them. dir is
// a folder in which they would write.
func HostileNames(dir string) []string {
	pwned := pwned(dir)
	return []string{
		"", " ", "-", "--", "-y", "--root=/", "--config=" + dir, "--help", "*", "hel*", "h?llo", "[h]ello", "{hello,rival}", "/usr/bin/hello", "../hello", dir + "/hello", "file:///etc/passwd",
		"http://example.com/x", "hello rival", "hello\nrival", "hello\x00", "hello;touch " + pwned, "hello|rival", "hello&", "hello,rival", "$(touch " + pwned + ")", "`touch " + pwned + "`", "hello>1", "hello<2",
		"hello=1.0", "hello = 1", "'hello'", "\"hello\"", "hello\\", "hello\u202e", "ｈello", "héllo", ".hello", "!hello", "^hello", "#hello", "~hello", "hello:1", "%(touch " + pwned + ")", "%n",
		"(hello if rival)", "-hello", "<hello>", "hello\r", "\ufeffhello", strings.Repeat("a", 5000),
	}
}

// HostileVersions returns versions of the same kind, for package managers whose versions have a release: "1.0-1".
func HostileVersions(dir string) []string {
	pwned := pwned(dir)
	return []string{
		"", " ", "1.0", "*", "1.*-1", "1.0-1-1", "-1", "1.0-", "--1", "1.0-1 rival", "1.0-1\n", "1.0-1\x00", "$(touch " + pwned + ")-1", "1.0-1;touch " + pwned, "x:1.0-1", ":1.0-1", "1:2:3-1", "1.0/1-1", "1.0-1/..",
		"1.0-1*", "1.0-[1]", "1.0-1?", "1.0-1@", "(1.0-1)", "~1.0-1", "1.0-1'", "1.0-1\"", "１.0-1", "1.0-1 ", "+1-1", "1.0-1,2", "1.0-1|2", "1.0-1>2", "1.0-1=2", "1.0-1#", "1.0-1&", "1.0-1!", "1.0-1\\",
		"%(touch " + pwned + ")-1", "../1-1", "99999999999:1-1", "1.0-%{release}", "1.0-1\t", "^1-1", strings.Repeat("1", 300) + "-1",
	}
}

// Hostile gives every hostile name and version to everything that takes one, in place of those of good: nothing changes below the
// folders but the ledger. More are names that are hostile to one package manager only.
func Hostile(t *testing.T, b *Bench, good rollout.Pinned, folders, more []string) {
	t.Helper()
	ctx := t.Context()
	look := func() map[string]string {
		all, err := b.System.Installed(ctx)
		require.NoError(t, err)
		for _, dir := range folders {
			require.NoError(t, filepath.WalkDir(filepath.Join(b.At, dir), func(path string, e os.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil || !e.Type().IsRegular() {
					return err
				}
				content, err := os.ReadFile(path)
				all[path] = string(content)
				return err
			}))
		}
		return all
	}
	old := look()
	attack := func(what string, change func(p *patch.Package)) {
		t.Helper()
		p := good
		p.Packages = append([]patch.Package(nil), good.Packages...)
		change(&p.Packages[0])
		c := Content(p)
		r, err := b.Fleet.Deploy(ctx, b.Task(rollout.OpInstall, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
		r, err = b.Fleet.Rollback(ctx, b.Task(rollout.OpRollback, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
		_, err = b.Fleet.Verify(ctx, b.Task(rollout.OpVerify, c))
		require.Equal(t, patch.Permanent, patch.FaultOf(err), what)
		r, err = b.Fleet.Download(ctx, b.Task(rollout.OpDownload, c))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %+v", what, r)
	}
	names := append(HostileNames(b.Dir), more...)
	for _, name := range names {
		attack(fmt.Sprintf("name %.60q", name), func(p *patch.Package) { p.Name = name })
		require.Equal(t, patch.Permanent, patch.FaultOf(b.Fleet.Hold(ctx, Tenant, Device, name)), "%q", name)
		require.Equal(t, patch.Permanent, patch.FaultOf(b.Fleet.Unhold(ctx, Tenant, Device, name)), "%q", name)
	}
	versions := HostileVersions(b.Dir)
	for _, v := range versions {
		attack(fmt.Sprintf("version %.60q", v), func(p *patch.Package) { p.Fixed.Text = v })
	}
	require.Empty(t, aptbed.Names(old, look()))
	require.NoFileExists(t, pwned(b.Dir))
	t.Logf("%d names, %d versions", len(names), len(versions))
}
