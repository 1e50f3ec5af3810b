//go:build linux

package pacman_test

import (
	"testing"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/providers/manager/pacman"
)

func TestSweep(t *testing.T) {
	managertest.Sweep[*bench]{
		Calls: "rename,unlink,unlinkat,mkdir,openat", Step: 11, Conf: pinned("conf", "2.0-1"), File: pacmanbed.VersionFile("conf"), Holds: "conf 2.0-1\n",
		Open: func(t *testing.T) *bench { return filled(t, nil) },
		Copy: func(t *testing.T, first *bench, to string) *bench {
			b := &bench{Bench: &managertest.Bench{Dir: first.Dir, New: pacman.New}, repo: first.repo}
			b.move(t, first.root, to)
			b.Fleet = b.Open(t, nil)
			return b
		},
		Argv: func(b *bench) ([]string, string) {
			return []string{"pacman", "--root", b.At, "--dbpath", b.At + "/var/lib/pacman", "--config", b.At + "/etc/pacman.conf", "--cachedir", b.At + "/var/cache/pacman/pkg",
				"--logfile", b.At + "/var/log/pacman.log", "--gpgdir", b.At + "/etc/pacman.d/gnupg", "--hookdir", b.At + "/etc/pacman.d/hooks", "--noconfirm",
				"-U", b.repo.Pool(pacmanbed.Package{Name: "conf", Version: "2.0-1"})}, ""
		},
	}.Run(t)
}
