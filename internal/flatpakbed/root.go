// Package flatpakbed makes devices for tests: folders with an installation of Flatpak of their own, on which the flatpak of this machine works
// without touching those of the machine or its user, and a signed repository to install from. As root it is a system's installation,
// and else a user's.
package flatpakbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// A Root is a device.
type Root struct {
	Dir  string
	repo *Repo // knows what commits are called
}

// Scope is the option of flatpak by which it works on devices.
func Scope() string {
	if os.Geteuid() == 0 {
		return "--system"
	}
	return "--user"
}

// NewRoot makes a device in dir that takes applications from a repository. uri is where the repository is found.
func NewRoot(ctx context.Context, dir string, r *Repo, uri string) (*Root, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"proc/sys/kernel/random", "var/lib", "home", "etc/flatpak", "var/cache"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "proc/sys/kernel/random/boot_id"), []byte("boot-1\n"), 0o644); err != nil {
		return nil, err
	}
	d := &Root{dir, r}
	_, err = d.Run(ctx, "flatpak", "remote-add", Scope(), "--gpg-import="+r.Key, "test", uri)
	return d, err
}

// Flatpak names the folder of the installation.
func (d *Root) Flatpak() string { return filepath.Join(d.Dir, "var/lib/flatpak") }

// Active names a file of an application or, with its branch, of the runtime.
func (d *Root) Active(id, name string) string {
	return filepath.Join(d.Flatpak(), "app", id, d.repo.Arch, Branch, "active", name)
}

// Move makes the device take applications from somewhere else.
func (d *Root) Move(ctx context.Context, uri string) error {
	_, err := d.Run(ctx, "flatpak", "remote-modify", Scope(), "--url="+uri, "test")
	return err
}

// Transport runs flatpak and sh for the device, and "systemctl reboot", which is Restart. Paths are those of this machine.
func (d *Root) Transport() transport.Transport {
	machine := local.New(local.Config{})
	return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if slices.Equal(c.Argv, []string{"systemctl", "reboot"}) {
			return transport.Result{Ended: true}, d.Restart()
		}
		c.Env = append(slices.Clone(c.Env), "FLATPAK_SYSTEM_DIR="+d.Flatpak(), "FLATPAK_USER_DIR="+d.Flatpak(), "FLATPAK_CONFIG_DIR="+filepath.Join(d.Dir, "etc/flatpak"),
			"FLATPAK_SYSTEM_CACHE_DIR="+filepath.Join(d.Dir, "var/cache"), "HOME="+filepath.Join(d.Dir, "home"), "XDG_CACHE_HOME="+filepath.Join(d.Dir, "var/cache"), "XDG_DATA_HOME="+filepath.Join(d.Dir, "home/share"))
		return machine.Run(ctx, c)
	})
}

// Restart gives the device another boot ID.
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
	return os.WriteFile(name, fmt.Appendf(nil, "boot-%d\n", n+1), 0o644)
}

// Run runs a command on the device. An exit code other than 0 is an error.
func (d *Root) Run(ctx context.Context, argv ...string) (string, error) {
	res, err := d.Transport().Run(ctx, transport.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err == nil && !res.OK() {
		err = fmt.Errorf("%s: %s: %s%s", strings.Join(argv, " "), res, res.Stdout, res.Stderr)
	}
	return string(res.Stdout), err
}

// Install installs applications at these versions, and their runtime.
func (d *Root) Install(ctx context.Context, apps ...App) error {
	for _, a := range apps {
		_, commit, _ := strings.Cut(d.repo.Version(a.ID, a.Version), "-")
		_, err := d.Run(ctx, "flatpak", "install", Scope(), "--noninteractive", "-y", "test", a.ID)
		if err == nil {
			_, err = d.Run(ctx, "flatpak", "update", Scope(), "--noninteractive", "-y", "--no-deps", "--commit="+commit, a.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Installed returns what flatpak itself says is installed: versions of applications and branches of the runtime, by "ID:BRANCH".
func (d *Root) Installed(ctx context.Context) (map[string]string, error) {
	out, err := d.Run(ctx, "flatpak", "list", Scope(), "--columns=ref:f")
	found := make(map[string]string)
	for line := range strings.Lines(out) {
		ref := strings.TrimSpace(line)
		parts := strings.Split(ref, "/")
		if len(parts) != 3 {
			continue
		}
		commit, one := d.Run(ctx, "flatpak", "info", Scope(), "--show-commit", ref)
		err = errors.Join(err, one)
		found[parts[0]+":"+parts[2]] = d.repo.label(parts[0], strings.TrimSpace(commit))
	}
	return found, err
}

// Copy copies the device into dir, which must not exist.
func (d *Root) Copy(dir string) (*Root, error) {
	if err := os.CopyFS(dir, os.DirFS(d.Dir)); err != nil {
		return nil, err
	}
	return &Root{dir, d.repo}, nil
}
