//go:build linux

package pacman_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// hostile returns names and versions that would do something else than to name a package, if a shell, pacman or a path saw them.
func hostile(dir string) (names, versions []string) {
	pwned := filepath.Join(dir, "pwned")
	return []string{
			"-y", "--overwrite=*", "--root=/", "--hookdir=" + dir, "--config=" + dir, "-Rns", "-", "--", "test/hello", "test/*", "core/hello", "hel*", "h?llo", "[h]ello", "*", "/usr/bin/hello", "./hello.pkg.tar",
			"../hello", dir + "/repo/hello-2.0-1-any.pkg.tar.gz", "http://example.com/x.pkg.tar", "file:///etc/passwd", "hello rival", "hello\nrival", "hello\x00", "hello;touch " + pwned, "hello|rival",
			"$(touch " + pwned + ")", "`touch " + pwned + "`", "hello>1", "hello=1.0", "hello<2", "hello,rival", "{hello,rival}", "'hello'", "\"hello\"", "hello\\", "hello\u202e", "ｈello", "héllo", "", " ", ".hello", "!hello", "^hello",
			"#hello", "hello:1", "%n", "HELLO", "~hello", strings.Repeat("a", 5000),
		}, []string{
			"", " ", "1.0", "*", "1.*-1", "1.0-1-1", "-1", "1.0-", "--1", "1.0-1 rival", "1.0-1\n", "1.0-1\x00", "$(touch " + pwned + ")-1", "1.0-1;touch " + pwned, "x:1.0-1", ":1.0-1", "1:2:3-1", "1.0/1-1", "../1-1",
			"1.0-1*", "1.0-[1]", "1.0-1?", "1.0-1@", "(1.0-1)", "~1.0-1", "1.0-1'", "１.0-1", "1.0-1 ", "+1-1", "1.0-1,2", "1.0-1|2", "1.0-1>2", "1.0-1=2", "1.0-1#", strings.Repeat("1", 300) + "-1",
		}
}

// Every hostile name and version is given to everything that takes one, on a device with real pacman: nothing changes on it but the ledger.
func TestHostileNamesAndVersions(t *testing.T) {
	b := filled(t, nil)
	ctx := t.Context()
	before, err := b.root.Installed(ctx)
	require.NoError(t, err)
	files := func() map[string]string {
		all := make(map[string]string)
		for _, dir := range []string{"etc", "usr", "bin", "var/lib/pacman/local"} {
			require.NoError(t, filepath.WalkDir(filepath.Join(b.root.Dir, dir), func(path string, e os.DirEntry, err error) error {
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
	old := files()
	names, versions := hostile(b.dir)
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
		p := pinned("hello", "2.0-1")
		p.Packages[0].Name = name
		attack(p, fmt.Sprintf("name %.60q", name))
		require.Equal(t, patch.Permanent, patch.FaultOf(b.fleet.Hold(ctx, "acme", "ada", name)), "%q", name)
	}
	for _, v := range versions {
		p := pinned("hello", "2.0-1")
		p.Packages[0].Fixed.Text = v
		attack(p, fmt.Sprintf("version %.60q", v))
	}
	after, err := b.root.Installed(ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Empty(t, aptbed.Names(old, files()))
	require.NoFileExists(t, filepath.Join(b.dir, "pwned"))
	t.Logf("%d names, %d versions", len(names), len(versions))
}

// The guard is what stops them: pacman itself does as they say.
func TestWhatPacmanWouldDoWithoutAGuard(t *testing.T) {
	b := filled(t, nil)
	_, err := b.root.Run(t.Context(), "pacman", "--noconfirm", "-U", "--", b.repo.Pool(pacmanbed.Package{Name: "rival", Version: "1.0-1"}))
	require.NoError(t, err, "a path is a package")
	out, err := b.root.Run(t.Context(), "pacman", "-S", "--print", "--print-format=%n", "--", "test/hello")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)
}
