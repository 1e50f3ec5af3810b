// Package root runs commands for the root folder of a system that is not the one which runs: an image, a mounted disk, or a
// device of a test, with the package managers of the system that runs.
//
// A chroot needs root and a whole system in the folder. Package managers need neither: each takes options that name
// another root, and those are put behind the program here. A program whose options are not known is refused, since it would
// act on the system that runs. For apt a file is written below the folder, var/lib/patchflow/apt.conf: without it apt would read the
// configuration of the system that runs.
//
// It was tested with dpkg, apt, rpm, dnf, zypper and pacman as Debian 12 has them.
package root

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// Config says which root folder it is, and how.
type Config struct {
	// Dir is the absolute path of the folder, on the device of On.
	Dir string

	// On reaches the device that has the folder.
	On transport.Transport

	// Chroot runs every command with chroot(8), as root, so that it finds its program in the folder. Options and Env are not
	// used then, and a Dir of a command is refused, which chroot has no option for.
	Chroot bool

	// Options are the arguments to put behind a program, by its name without folders; nil means [Options] of Dir.
	Options map[string][]string

	// Env is added to the environment of every command, before that of the command.
	Env []string
}

// New returns the transport to a root folder. The error wraps [patch.ErrPermanent] and names the field at fault.
func New(c Config) (transport.Transport, error) {
	if c.Dir == "" || !path.IsAbs(c.Dir) || path.Clean(c.Dir) == "/" {
		return nil, fmt.Errorf("root: config: Dir: %q is no absolute path of a folder below the root: %w", c.Dir, patch.ErrPermanent)
	}
	if c.On == nil {
		return nil, fmt.Errorf("root: config: On is nil: %w", patch.ErrPermanent)
	}
	c.Dir = path.Clean(c.Dir)
	if c.Options == nil {
		c.Options = Options(c.Dir)
	}
	c.Options = maps.Clone(c.Options)
	return &folder{Config: c}, nil
}

type folder struct {
	Config
	mu  sync.Mutex
	apt bool // the file for apt is written; guarded by mu
}

// Run implements [transport.Transport].
func (f *folder) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	if err := c.Check(); err != nil {
		return transport.Result{}, fmt.Errorf("root: %w", err)
	}
	if f.Chroot {
		if c.Dir != "" {
			return transport.Result{}, fmt.Errorf("root: %s: a chroot begins in its root, not in %s: %w", c, c.Dir, patch.ErrPermanent)
		}
		c.Argv = append([]string{"chroot", f.Dir}, c.Argv...)
		c.Root = true
		return f.On.Run(ctx, c)
	}
	options, ok := f.Options[path.Base(c.Argv[0])]
	if !ok {
		return transport.Result{}, fmt.Errorf("root: %s: no options are known that make it work on %s: %w", c, f.Dir, patch.ErrPermanent)
	}
	c.Env = slices.Concat(f.Env, c.Env)
	if strings.HasPrefix(path.Base(c.Argv[0]), "apt") && !slices.ContainsFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, "APT_CONFIG=") }) {
		if err := f.config(ctx, c.Root); err != nil {
			return transport.Result{}, fmt.Errorf("root: %s: %w", c, err)
		}
		c.Env = append(c.Env, "APT_CONFIG="+f.aptConfig())
	}
	c.Argv = slices.Concat(c.Argv[:1], options, c.Argv[1:])
	return f.On.Run(ctx, c)
}

func (f *folder) aptConfig() string { return f.Dir + "/var/lib/patchflow/apt.conf" }

const configScript = `mkdir -p "${1%/*}" && cat >"$1.$$" && [ "$(wc -c <"$1.$$")" -eq "$2" ] && mv "$1.$$" "$1"`

// config writes the file by which apt reads the folder's own configuration and not that of the system that runs: options on the
// command line are looked at when it has been read.
func (f *folder) config(ctx context.Context, asRoot bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apt {
		return nil
	}
	if strings.ContainsAny(f.Dir, "\"\\\n{};") {
		return fmt.Errorf("apt cannot be told of the folder %q: %w", f.Dir, patch.ErrPermanent)
	}
	text := fmt.Sprintf("Dir \"%s/\";\nDir::Etc::parts \"%s/etc/apt/apt.conf.d\";\n", f.Dir, f.Dir)
	r, err := f.On.Run(ctx, transport.Command{Argv: []string{"sh", "-c", configScript, "patchflow", f.aptConfig(), strconv.Itoa(len(text))}, Stdin: []byte(text), Root: asRoot})
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("the configuration for it cannot be written: %s: %.300s", r, r.Stderr)
	}
	f.apt = true
	return nil
}

// Options returns the arguments that make package managers work on the folder dir instead of the system that runs: those of
// dpkg and apt, rpm and dnf, zypper, and pacman. Scripts of packages for dpkg run outside of the folder and find its name in
// DPKG_ROOT; those of the others run in a chroot, as root.
func Options(dir string) map[string][]string {
	apt := []string{
		"-oDir=" + dir + "/",
		"-oDir::State::status=" + dir + "/var/lib/dpkg/status",
		"-oDir::Bin::dpkg=/usr/bin/dpkg",
		"-oDPkg::Options::=--root=" + dir,
		"-oDPkg::Options::=--force-script-chrootless",
		"-oDPkg::Options::=--log=" + dir + "/var/log/dpkg.log",
		"-oDPkg::Path=",
		"-oDPkg::Chroot-Directory=/",
		"-oAPT::Sandbox::User=root",
	}
	return map[string][]string{
		"apt-get":    apt,
		"apt-cache":  apt,
		"apt-mark":   apt,
		"apt":        apt,
		"apt-config": apt,
		"dpkg":       {"--root=" + dir, "--force-script-chrootless"},
		"dpkg-query": {"--admindir=" + dir + "/var/lib/dpkg"},
		"rpm":        {"--root", dir},
		"dnf": {"--installroot=" + dir, "--setopt=reposdir=" + dir + "/etc/yum.repos.d", "--setopt=cachedir=" + dir + "/var/cache/dnf",
			"--setopt=logdir=" + dir + "/var/log"},
		"zypper":      {"--root", dir},
		"pacman-conf": {"--rootdir", dir, "--config", dir + "/etc/pacman.conf"},
		"pacman": {"--root", dir, "--dbpath", dir + "/var/lib/pacman", "--cachedir", dir + "/var/cache/pacman/pkg",
			"--config", dir + "/etc/pacman.conf", "--logfile", dir + "/var/log/pacman.log", "--hookdir", dir + "/etc/pacman.d/hooks",
			"--gpgdir", dir + "/etc/pacman.d/gnupg"},
	}
}
