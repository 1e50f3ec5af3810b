// Package pacmanbed makes devices for tests: root folders with a database of pacman of their own, on which the pacman of this machine
// works without touching it, and a signed repository to install from. pacman takes the rights of root.
package pacmanbed

import (
	"context"
	"errors"
	"fmt"
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
	Dir string
	to  transport.Transport
}

// NewRoot makes a device in dir that takes packages from a repository, and has a shell. uri is where the repository is found.
func NewRoot(dir string, r *Repo, uri string) (*Root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"etc/pacman.d/gnupg", "etc/pacman.d/hooks", "var/lib/pacman/sync", "var/lib/pacman/local", "var/cache/pacman/pkg", "var/log", "run", "tmp", "bin", "proc/sys/kernel/random", "usr/lib/modules/6.1"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	shell, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(shell)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"pubring.gpg", "trustdb.gpg"} {
		content, err := os.ReadFile(filepath.Join(r.Keys, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "etc/pacman.d/gnupg", name), content, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "bin/busybox"), program, 0o755), os.Symlink("busybox", filepath.Join(dir, "bin/sh"))); err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"etc/os-release":                       "ID=arch\nPRETTY_NAME=\"Arch Linux\"\n",
		"proc/sys/kernel/osrelease":            "6.1\n",
		"proc/sys/kernel/random/boot_id":       "boot-1\n",
		"var/lib/pacman/local/ALPM_DB_VERSION": "9\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	d := &Root{Dir: dir}
	return d, errors.Join(d.reach(), d.Move(uri))
}

// Move makes the device take packages from somewhere else. What it has fetched of the index is gone.
func (d *Root) Move(uri string) error {
	sync := filepath.Join(d.Dir, "var/lib/pacman/sync")
	return errors.Join(os.RemoveAll(sync), os.MkdirAll(sync, 0o755), os.WriteFile(filepath.Join(d.Dir, "etc/pacman.conf"), []byte(fmt.Sprintf(
		"[options]\nArchitecture = auto\nSigLevel = Required DatabaseRequired\nLocalFileSigLevel = Optional\nCheckSpace\n[test]\nServer = %s\n", uri)), 0o644))
}

func (d *Root) reach() error {
	options := root.Options(d.Dir)
	options["sh"] = nil
	inside, err := root.New(root.Config{Dir: d.Dir, On: local.New(local.Config{}), Options: options})
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

// Transport runs pacman and sh for the device, and "systemctl reboot", which is Restart. Paths are those of this machine.
func (d *Root) Transport() transport.Transport { return d.to }

// Restart gives the device another boot ID, and the newest kernel that it has in usr/lib/modules.
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
	kernels, err := os.ReadDir(filepath.Join(d.Dir, "usr/lib/modules"))
	if err != nil || len(kernels) == 0 {
		return fmt.Errorf("there is no kernel to start: %w", err)
	}
	return errors.Join(os.WriteFile(name, []byte(fmt.Sprintf("boot-%d\n", n+1)), 0o644),
		os.WriteFile(filepath.Join(d.Dir, "proc/sys/kernel/osrelease"), []byte(kernels[len(kernels)-1].Name()+"\n"), 0o644))
}

// Run runs a command on the device. An exit code other than 0 is an error.
func (d *Root) Run(ctx context.Context, argv ...string) (string, error) {
	res, err := d.to.Run(ctx, transport.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err == nil && !res.OK() {
		err = fmt.Errorf("%s: %s: %s%s", strings.Join(argv, " "), res, res.Stdout, res.Stderr)
	}
	return string(res.Stdout), err
}

// Installed returns the version of every package, as pacman itself tells it.
func (d *Root) Installed(ctx context.Context) (map[string]string, error) {
	out, err := d.Run(ctx, "pacman", "-Q")
	found := make(map[string]string)
	for line := range strings.Lines(out) {
		if name, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			found[name] = v
		}
	}
	return found, err
}

// Copy copies the device into dir, which must not exist.
func (d *Root) Copy(dir string) (*Root, error) {
	if err := os.CopyFS(dir, os.DirFS(d.Dir)); err != nil {
		return nil, err
	}
	c := &Root{Dir: dir}
	return c, c.reach()
}
