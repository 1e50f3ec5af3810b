// Package rpmbed makes devices for tests: root folders with a database of rpm of their own, on which the rpm, dnf and zypper of this
// machine work without touching it, and a signed repository to install from. Scripts of packages run in the folder with chroot, which
// takes the rights of root.
package rpmbed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/providers/transport/root"
)

// A Root is a device.
type Root struct {
	Dir string
	to  transport.Transport
}

// NewRoot makes a device in dir that takes packages from a repository, and has a shell. uri is where the repository is found.
func NewRoot(ctx context.Context, dir string, r *Repo, uri string) (*Root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"etc/yum.repos.d", "etc/dnf", "etc/zypp/repos.d", "home", "var/lib/rpm", "var/log", "var/cache/dnf", "run", "tmp", "proc/sys/kernel/random"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"etc/os-release":   "ID=almalinux\nVERSION_ID=\"9.4\"\nPRETTY_NAME=\"AlmaLinux 9.4\"\n",
		"etc/dnf/dnf.conf": "[main]\ngpgcheck=1\n",
		// Where Debian's rpm keeps its database depends on whose it is.
		"home/.rpmmacros":                "%_dbpath /var/lib/rpm\n",
		"proc/sys/kernel/random/boot_id": "boot-1\n",
		"proc/stat":                      fmt.Sprintf("btime %d\n", time.Now().Unix()),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	d := &Root{Dir: dir}
	if err := errors.Join(d.reach(), d.Move(r.Key, uri)); err != nil {
		return nil, err
	}
	shell, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	p := Package{Name: "shell", Version: "1", shell: shell}
	if err := build(ctx, r.dir, []Package{p}); err != nil {
		return nil, err
	}
	return d, d.Put(ctx, filepath.Join(r.dir, "RPMS", "noarch", p.File()))
}

// Put installs files of packages by rpm itself, as if that had been long ago.
func (d *Root) Put(ctx context.Context, files ...string) error {
	res, err := d.to.Run(ctx, transport.Command{Argv: append([]string{"rpm", "-U", "--nodeps", "--nosignature", "--"}, files...), Env: []string{"SOURCE_DATE_EPOCH=1000000000"}})
	if err == nil && !res.OK() {
		err = fmt.Errorf("rpm: %s: %s", res, res.Stderr)
	}
	return err
}

// Move makes the device take packages from somewhere else, signed by the key in a file. What it has fetched of the indices is gone.
func (d *Root) Move(key, uri string) error {
	text := fmt.Sprintf("[test]\nname=test\nbaseurl=%s\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\nautorefresh=0\n", uri, key)
	cache := filepath.Join(d.Dir, "var/cache/dnf")
	return errors.Join(os.RemoveAll(cache), os.MkdirAll(cache, 0o755), os.RemoveAll(filepath.Join(d.Dir, "var/cache/zypp")),
		os.WriteFile(filepath.Join(d.Dir, "etc/yum.repos.d/test.repo"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(d.Dir, "etc/zypp/repos.d/test.repo"), []byte(text), 0o644))
}

func (d *Root) reach() error {
	options := root.Options(d.Dir)
	options["dnf"] = append(slices.Clone(options["dnf"]), "--releasever=9", "--config="+d.Dir+"/etc/dnf/dnf.conf", "--disableplugin=local", "--setopt=install_weak_deps=0",
		"--setopt=retries=1", "--setopt=timeout=5")
	options["sh"] = nil
	inside, err := root.New(root.Config{Dir: d.Dir, On: local.New(local.Config{}), Options: options,
		Env: []string{"HOME=" + d.Dir + "/home", "ZYPP_LOGFILE=" + d.Dir + "/var/log/zypper.log"}})
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

// Transport runs rpm, dnf, zypper and sh for the device, and "systemctl reboot", which is Restart. Paths are those of this machine.
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
	if err := os.Remove(filepath.Join(d.Dir, "run/reboot-needed")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.WriteFile(name, []byte(fmt.Sprintf("boot-%d\n", n+1)), 0o644),
		os.WriteFile(filepath.Join(d.Dir, "proc/stat"), []byte(fmt.Sprintf("btime %d\n", time.Now().Unix())), 0o644))
}

// Run runs a command on the device. An exit code other than 0 is an error.
func (d *Root) Run(ctx context.Context, argv ...string) (string, error) {
	res, err := d.to.Run(ctx, transport.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err == nil && !res.OK() {
		err = fmt.Errorf("%s: %s: %s%s", strings.Join(argv, " "), res, res.Stdout, res.Stderr)
	}
	return string(res.Stdout), err
}

// Installed returns the versions of every package, as rpm itself tells them: "1.0-1", and "1.0-1 2.0-1" if it is there twice.
func (d *Root) Installed(ctx context.Context) (map[string]string, error) {
	out, err := d.Run(ctx, "rpm", "-qa", "--queryformat", `%{NAME}\t%{EVR}\n`)
	all := make(map[string][]string)
	for line := range strings.Lines(out) {
		if name, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			all[name] = append(all[name], v)
		}
	}
	found := make(map[string]string)
	for name, versions := range all {
		slices.Sort(versions)
		found[name] = strings.Join(versions, " ")
	}
	return found, err
}

// Copy copies the device into dir, which must not exist.
func (d *Root) Copy(dir string) (*Root, error) {
	if err := os.CopyFS(dir, os.DirFS(d.Dir)); err != nil {
		return nil, err
	}
	// Where it is stands in no file of it but the cache of dnf's, whose names it takes from there.
	c := &Root{Dir: dir}
	return c, c.reach()
}
