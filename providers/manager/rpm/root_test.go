package rpm_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/rpm"
)

const database = "var/lib/rpm/rpmdb.sqlite"

// tree makes a root folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
	}
	return dir
}

// almalinux is a root whose database is empty: what a program says of it is up to the test.
func almalinux(t *testing.T, more map[string]string) string {
	t.Helper()
	files := map[string]string{"etc/os-release": "ID=almalinux\nVERSION_ID=9.4\n", database: ""}
	for name, content := range more {
		files[name] = content
	}
	return tree(t, files)
}

// program makes a program that does what the lines of shell say.
func program(t *testing.T, lines string) string {
	t.Helper()
	need.Tool(t, "sh")
	name := filepath.Join(t.TempDir(), "rpm")
	require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\n"+lines+"\n"), 0o755))
	return name
}

// printing makes a program that prints text whatever it is asked, and does more.
func printing(t *testing.T, text, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "output")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return program(t, "cat '"+file+"'\n"+more)
}

func scan(t *testing.T, r rpm.Root) inventory.Scan {
	t.Helper()
	s, err := r.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, inventory.Tenant("acme"), s.Tenant)
	require.Equal(t, inventory.DeviceID("ada"), s.Device)
	require.Len(t, s.Coverage, 1)
	require.Equal(t, "rpm", s.Coverage[0].Manager)
	require.Equal(t, s.At, s.Coverage[0].At)
	_, err = inventory.Device{Tenant: "acme", ID: "ada"}.Merge(s)
	require.NoError(t, err, "the scan does not contradict itself")
	return s
}

func TestScanTellsHowCompleteItIs(t *testing.T) {
	twice := query() + line("bash", "(none)", "5.2", "1.el9", "x86_64", "(none)", "1700000000", "(none)")
	for _, row := range []struct {
		name, output, more string
		status             inventory.Status
		packages           int
		detail             string
	}{
		{"everything", query(), "", inventory.Complete, 5, ""},
		{"everything, with a warning", query(), "echo 'warning: Found bdb Packages database' >&2", inventory.Complete, 5, ""},
		{"a damaged entry", query(), "echo 'error: rpmdb: damaged header #7 retrieved -- skipping.' >&2", inventory.Partial, 5, "damaged header #7"},
		{"an unreadable line", query() + "x\n", "", inventory.Partial, 5, "line 7: 1 fields"},
		{"a package twice", twice, "", inventory.Partial, 6, "bash.x86_64 is installed as 5.1.8-6.el9 and as 5.2-1.el9"},
		{"two things at once", twice + "x\n", "", inventory.Partial, 6, "(and 1 more)"},
		{"half of it", query()[:100], "", inventory.Failed, 0, "unexpected EOF"},
		{"a failure at the end", query(), "echo 'error: no' >&2; exit 1", inventory.Failed, 0, "exit status 1: error: no"},
		{"nothing", "", "", inventory.Failed, 0, "no package is installed"},
		{"keys alone", line("gpg-pubkey", "(none)", "8483c65d", "5ccc5b19", "(none)", "(none)", "1700000000", "(none)"), "", inventory.Failed, 0, "no package is installed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := scan(t, rpm.Root{Dir: almalinux(t, nil), Program: printing(t, row.output, row.more)})
			require.Equal(t, row.status, s.Coverage[0].Status, s.Coverage[0].Detail)
			require.Contains(t, s.Coverage[0].Detail, row.detail)
			require.Len(t, s.Software, row.packages)
			for _, p := range s.Software {
				require.Equal(t, "AlmaLinux:9", p.Ecosystem)
			}
			require.Empty(t, s.BootID)
			require.Equal(t, patch.Unknown, s.PendingReboot)
		})
	}
}

func TestScanFailsWithoutWhatItNeeds(t *testing.T) {
	for _, row := range []struct {
		name, detail string
		root         rpm.Root
	}{
		{"no database", "no database in usr/lib/sysimage/rpm or var/lib/rpm", rpm.Root{Dir: tree(t, map[string]string{"etc/os-release": "ID=fedora\nVERSION_ID=43\n"})}},
		{"no database where it is said to be", "no database in opt/rpm", rpm.Root{Dir: almalinux(t, nil), Database: "opt/rpm"}},
		{"no release", "os-release", rpm.Root{Dir: tree(t, map[string]string{database: ""})}},
		{"no program", "executable file not found", rpm.Root{Dir: almalinux(t, nil), Program: "no-such-rpm"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := scan(t, row.root)
			require.Equal(t, inventory.Failed, s.Coverage[0].Status)
			require.Contains(t, s.Coverage[0].Detail, row.detail)
			require.Empty(t, s.Software)
		})
	}
	_, err := rpm.Root{Dir: filepath.Join(t.TempDir(), "gone")}.Scan(t.Context(), inventory.Device{})
	require.ErrorIs(t, err, patch.ErrUnreachable)
	_, err = rpm.Root{Dir: filepath.Join(t.TempDir(), "gone")}.Release()
	require.ErrorIs(t, err, patch.ErrUnreachable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = rpm.Root{Dir: almalinux(t, nil)}.Scan(ctx, inventory.Device{})
	require.ErrorIs(t, err, context.Canceled)
}

// A database behind a link that leads out of the root is that of another system, the one that looks.
func TestScanStaysInsideItsRoot(t *testing.T) {
	other := almalinux(t, nil)
	dir := tree(t, map[string]string{"etc/os-release": "ID=fedora\nVERSION_ID=43\n", "var/lib/x": ""})
	if err := os.Symlink(filepath.Join(other, "var", "lib", "rpm"), filepath.Join(dir, "var", "lib", "rpm")); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	s := scan(t, rpm.Root{Dir: dir, Program: printing(t, query(), "")})
	require.Equal(t, inventory.Failed, s.Coverage[0].Status)
	require.Contains(t, s.Coverage[0].Detail, "no database")
}

func TestScanAsksForTheDatabaseOfItsRoot(t *testing.T) {
	for _, folder := range []string{"usr/lib/sysimage/rpm", "var/lib/rpm", "opt/db"} {
		dir := tree(t, map[string]string{folder + "/Packages.db": ""})
		root := rpm.Root{Dir: dir, Ecosystem: "Test:1", Program: program(t, "[ \"$1 $2\" = '--dbpath "+filepath.Join(dir, filepath.FromSlash(folder))+"' ] || exit 9\n"+
			`printf 'x\t0\t1\t1\tnoarch\t(none)\t1\n'`)}
		if folder == "opt/db" {
			root.Database = folder
		}
		s := scan(t, root)
		require.Equal(t, inventory.Complete, s.Coverage[0].Status, s.Coverage[0].Detail)
		require.Equal(t, "Test:1", s.Software[0].Ecosystem)
	}
}

func TestScanAsksOldRpmWithoutModules(t *testing.T) {
	old := program(t, `case "$*" in *MODULARITYLABEL*) echo "error: incorrect format: unknown tag: \"MODULARITYLABEL\"" >&2; exit 1;; esac
printf 'bash\t(none)\t4.2.46\t35.el7_9\tx86_64\tbash-4.2.46-35.el7_9.src.rpm\t1700000000\n'`)
	s := scan(t, rpm.Root{Dir: almalinux(t, nil), Program: old})
	require.Equal(t, inventory.Complete, s.Coverage[0].Status, s.Coverage[0].Detail)
	require.Equal(t, "4.2.46-35.el7_9", s.Software[0].Version.Text)
}

func TestScanOfARunningSystemKnowsTheKernelAndWhetherARestartIsDue(t *testing.T) {
	kernels := line("kernel-core", "(none)", "5.14.0", "1.el9", "x86_64", "kernel-5.14.0-1.el9.src.rpm", "1600000000", "(none)") +
		line("kernel-core", "(none)", "5.14.0", "2.el9", "x86_64", "kernel-5.14.0-2.el9.src.rpm", "%d", "(none)") +
		line("bash", "(none)", "5.14.0", "1.el9", "x86_64", "bash-5.14.0-1.el9.src.rpm", "1800000000", "(none)")
	running := map[string]string{
		"proc/sys/kernel/random/boot_id": "0a1b\n", "proc/sys/kernel/osrelease": "5.14.0-1.el9.x86_64\n", "proc/stat": "cpu 1 2\nbtime 1700000000\nprocesses 3\n",
	}
	for _, row := range []struct {
		name      string
		installed int
		files     map[string]string
		more      string
		want      patch.Tri
	}{
		{"a kernel since the boot", 1700000001, nil, "", patch.Yes},
		{"a kernel before the boot", 1650000000, nil, "", patch.No},
		{"SUSE says so", 1650000000, map[string]string{"run/reboot-needed": ""}, "", patch.Yes},
		{"not everything is known", 1650000000, nil, "echo 'error: damaged' >&2", patch.Unknown},
		{"nobody knows when the boot was", 1650000000, map[string]string{"proc/stat": "cpu 1 2\n"}, "", patch.Unknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := almalinux(t, running)
			for name, content := range row.files {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
			}
			s := scan(t, rpm.Root{Dir: dir, Program: printing(t, fmt.Sprintf(kernels, row.installed), row.more)})
			require.Equal(t, row.want, s.PendingReboot)
			require.Equal(t, "0a1b", s.BootID)
			var got []bool
			for _, p := range s.Software {
				got = append(got, p.Running)
			}
			require.Equal(t, []bool{true, false, false}, got)
		})
	}
}

// The same with real packages in a real database.
func TestScanOfARealDatabase(t *testing.T) {
	need.Tool(t, "rpm")
	need.Tool(t, "rpmbuild")
	dir := tree(t, map[string]string{
		"etc/os-release": "ID=almalinux\nVERSION_ID=9.4\n", "var/lib/rpm/.keep": "",
		"a.spec": "Name: a\nEpoch: 2\nVersion: 1.0~rc1\nRelease: %{turn}\nSummary: x\nLicense: MIT\nBuildArch: noarch\nModularityLabel: m:5:1:c0ffee\n%description\nx\n" +
			"%package -n b\nSummary: x\nVersion: 7\n%description -n b\nx\n%files\n%files -n b\n%prep\n%build\n%install\n",
	})
	run := func(name string, args ...string) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %v: %s", name, args, out)
	}
	db := filepath.Join(dir, "var", "lib", "rpm")
	root := rpm.Root{Dir: dir}

	run("rpm", "--dbpath", db, "--initdb")
	s := scan(t, root)
	require.Equal(t, inventory.Failed, s.Coverage[0].Status, "a database without a package")

	for _, turn := range []string{"1", "2"} {
		run("rpmbuild", "--quiet", "-bb", "--define", "_topdir "+filepath.Join(dir, "top"), "--define", "turn "+turn, filepath.Join(dir, "a.spec"))
	}
	built := func(file string) string { return filepath.Join(dir, "top", "RPMS", "noarch", file) }
	install := []string{"--dbpath", db, "--justdb", "--nodeps", "-i"}
	run("rpm", append(install, built("a-1.0~rc1-1.noarch.rpm"), built("b-7-1.noarch.rpm"))...)
	s = scan(t, root)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status, s.Coverage[0].Detail)
	found := make(map[string]inventory.Software)
	for _, p := range s.Software {
		found[p.Name] = p
	}
	require.Equal(t, inventory.Software{Manager: "rpm", Ecosystem: "AlmaLinux:9", Name: "a", Arch: "noarch", Module: "m:5", Version: ver("2:1.0~rc1-1")}, found["a"])
	require.Equal(t, inventory.Software{Manager: "rpm", Ecosystem: "AlmaLinux:9", Name: "b", Source: "a", Arch: "noarch", Module: "m:5", Version: ver("2:7-1"), SourceVersion: ver("1.0~rc1-1")}, found["b"])

	// This is what rpm leaves behind when it is killed between the new and the old version.
	run("rpm", append(install, "--force", built("a-1.0~rc1-2.noarch.rpm"))...)
	s = scan(t, root)
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Contains(t, s.Coverage[0].Detail, "package a.noarch is installed as ")
	require.Len(t, s.Software, 3)

}
