// Package aptbed makes devices for tests and examples: root folders with a package database of their own, on which the apt and dpkg
// of this machine work, without its rights and without touching it, and a signed archive to install from. A device takes a few
// milliseconds and some kilobytes.
//
// It needs Debian, Ubuntu or another system with apt; Missing tells what is not there.
package aptbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/providers/transport/root"
)

// A Root is a device.
type Root struct {
	Dir  string
	Arch string
	to   transport.Transport
}

// Arch returns the architecture of this machine's dpkg.
func Arch(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "dpkg", "--print-architecture").Output()
	return strings.TrimSpace(string(out)), err
}

// NewRoot makes a device in dir, with nothing installed, that takes packages from an archive. uri is where the archive is found.
func NewRoot(dir, arch string, r *Repo, uri string, suites ...string) (*Root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg/info",
		"var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/dpkg/parts", "var/lib/dpkg/alternatives", "var/lib/apt/lists/partial", "var/lib/apt/periodic",
		"var/cache/apt/archives/partial", "var/log/apt", "run", "tmp", "usr/share/update-notifier", "proc/sys/kernel/random"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	// Of an archive in a folder apt would keep links to its indices, which lead out of the root; packed ones it copies.
	files := map[string]string{
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "var/lib/dpkg/arch": arch + "\n", "etc/apt/sources.list": sources(r.Key, uri, suites),
		"etc/os-release":                                   "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
		"proc/sys/kernel/random/boot_id":                   "boot-1\n",
		"usr/share/update-notifier/notify-reboot-required": "",
		"etc/apt/apt.conf.d/bed":                           "APT::Install-Recommends \"false\";\nAPT::Architecture \"" + arch + "\";\nAcquire::Languages \"none\";\nAcquire::Retries \"0\";\nAcquire::GzipIndexes \"true\";\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	d := &Root{Dir: dir, Arch: arch}
	return d, d.reach()
}

func sources(key, uri string, suites []string) string {
	var lines strings.Builder
	for _, suite := range suites {
		fmt.Fprintf(&lines, "deb [signed-by=%s] %s %s main\n", key, uri, suite)
	}
	return lines.String()
}

// Move makes the device take packages from somewhere else, signed by the key in a file. What it has fetched of the indices is gone.
func (d *Root) Move(key, uri string, suites ...string) error {
	lists := filepath.Join(d.Dir, "var/lib/apt/lists")
	return errors.Join(os.RemoveAll(lists), os.MkdirAll(filepath.Join(lists, "partial"), 0o755),
		os.WriteFile(filepath.Join(d.Dir, "etc/apt/sources.list"), []byte(sources(key, uri, suites)), 0o644))
}

// reach makes the transport. The options that make apt and dpkg work in the folder are those of package root; here, they do
// so without the rights of root and without waiting for disks.
func (d *Root) reach() error {
	options := root.Options(d.Dir)
	for _, name := range []string{"apt-get", "apt-cache", "apt-mark"} {
		options[name] = append(slices.Clone(options[name]), "-oDPkg::Options::=--force-not-root", "-oDPkg::Options::=--force-unsafe-io",
			"-oDPkg::Options::=--force-bad-path", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache=")
	}
	options["dpkg"] = append(slices.Clone(options["dpkg"]), "--force-not-root", "--force-unsafe-io", "--force-bad-path", "--log="+d.Dir+"/var/log/dpkg.log")
	options["sh"] = nil
	machine := local.New(local.Config{})
	inside, err := root.New(root.Config{Dir: d.Dir, On: machine, Options: options, Env: []string{"DPKG_ROOT=" + d.Dir}})
	if err != nil {
		return err
	}
	d.to = transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if slices.Equal(c.Argv, []string{"systemctl", "reboot"}) {
			return transport.Result{Ended: true}, d.Restart()
		}
		return inside.Run(ctx, c)
	})
	return nil
}

// Transport runs apt, dpkg and sh for the device, and "systemctl reboot", which is Restart. Paths are those of this machine.
func (d *Root) Transport() transport.Transport { return d.to }

// Restart gives the device another boot ID, and takes away the sign that it waits for a restart.
func (d *Root) Restart() error {
	name := filepath.Join(d.Dir, "proc/sys/kernel/random/boot_id")
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(string(old)), "boot-"))
	if err != nil {
		return err
	}
	for _, flag := range []string{"run/reboot-required", "run/reboot-required.pkgs"} {
		if err := os.Remove(filepath.Join(d.Dir, flag)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile(name, []byte(fmt.Sprintf("boot-%d\n", n+1)), 0o644)
}

// Run runs a command on the device. An exit code other than 0 is an error.
func (d *Root) Run(ctx context.Context, argv ...string) (string, error) {
	res, err := d.to.Run(ctx, transport.Command{Argv: argv, Env: []string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}})
	if err == nil && !res.OK() {
		err = fmt.Errorf("%s: %s: %s", strings.Join(argv, " "), res, res.Stderr)
	}
	return string(res.Stdout), err
}

// Installed returns the version and the state of every package, as dpkg-query itself tells them: "1.0 installed".
func (d *Root) Installed(ctx context.Context) (map[string]string, error) {
	out, err := d.Run(ctx, "dpkg-query", "-W", "-f", `${Package}\t${Version} ${db:Status-Status}\n`)
	found := make(map[string]string)
	for line := range strings.Lines(out) {
		if name, state, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			found[name] = state
		}
	}
	return found, err
}

// Log returns the lines of dpkg's own log that say what was unpacked or removed: "upgrade jq:all 1.0 1.1".
func (d *Root) Log() ([]string, error) {
	content, err := os.ReadFile(filepath.Join(d.Dir, "var/log/dpkg.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if words := strings.Fields(line); len(words) > 2 && slices.Contains([]string{"install", "upgrade", "remove", "purge"}, words[2]) {
			lines = append(lines, strings.Join(words[2:], " "))
		}
	}
	return lines, err
}

// Copy copies the device into dir, which must not exist.
func (d *Root) Copy(dir string) (*Root, error) {
	if err := os.CopyFS(dir, os.DirFS(d.Dir)); err != nil {
		return nil, err
	}
	// Where it is stands in no file of it.
	c := &Root{Dir: dir, Arch: d.Arch}
	return c, c.reach()
}

// Files returns every file of the device by name, with its content, so that two states can be compared. Skip leaves out
// names that begin so.
func (d *Root) Files(skip ...string) (map[string]string, error) {
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(d.Dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(skip, func(p string) bool { return strings.HasPrefix(name, p) }) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			files[name] = entry.Type().String()
			return nil
		}
		f, err := os.Open(filepath.Join(d.Dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		content, err := io.ReadAll(f)
		files[name] = string(content)
		return err
	})
	return files, err
}

// Names returns the names of files that differ between two states.
func Names(before, after map[string]string) []string {
	differ := make(map[string]bool)
	for name, content := range before {
		if other, ok := after[name]; !ok || other != content {
			differ[name] = true
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			differ[name] = true
		}
	}
	return slices.Sorted(maps.Keys(differ))
}

// Scratch makes a folder for a bed, in memory where the system has a folder for that: dpkg waits for the disk at every step.
// The caller removes it.
func Scratch(name string) (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", name); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", name)
}
