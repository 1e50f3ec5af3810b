//go:build !unix

package local

import (
	"errors"
	"os"
	"os/exec"
)

// superuser says yes: where there is no sudo, a command has the rights of this process, and the system refuses what it may
// not do.
func superuser() bool { return true }

func apart(*exec.Cmd) {}

// signal kills cmd. There is no gentler way.
func (m *machine) signal(cmd *exec.Cmd, kill, sudo bool) error {
	if err := cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func badFormat(error) bool { return false }

func end(p *os.ProcessState) (code int, signal string) { return p.ExitCode(), "" }
