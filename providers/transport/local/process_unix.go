//go:build unix

package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

func superuser() bool { return os.Geteuid() == 0 }

// apart gives cmd a process group of its own, which has the number of its process.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signal sends TERM or KILL to the group of cmd. A group that is gone is no error. What runs as root through sudo takes no
// signal from others: sudo sends it.
func (m *machine) signal(cmd *exec.Cmd, kill, sudo bool) error {
	sig, name := syscall.SIGTERM, "TERM"
	if kill {
		sig, name = syscall.SIGKILL, "KILL"
	}
	err := syscall.Kill(-cmd.Process.Pid, sig)
	if sudo && !errors.Is(err, syscall.ESRCH) {
		// The context of the command has ended already.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		argv := append(m.Sudo[1:len(m.Sudo):len(m.Sudo)], "kill", "-s", name, "--", strconv.Itoa(-cmd.Process.Pid))
		if exec.CommandContext(ctx, m.Sudo[0], argv...).Run() == nil {
			return nil
		}
	}
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func badFormat(err error) bool { return errors.Is(err, syscall.ENOEXEC) }

// end returns the exit code, or -1 and the name of the signal that ended the process.
func end(p *os.ProcessState) (code int, signal string) {
	status, ok := p.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return p.ExitCode(), ""
	}
	for name, sig := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT,
		"ILL": syscall.SIGILL, "TRAP": syscall.SIGTRAP, "ABRT": syscall.SIGABRT, "BUS": syscall.SIGBUS, "FPE": syscall.SIGFPE,
		"KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1, "SEGV": syscall.SIGSEGV, "USR2": syscall.SIGUSR2,
		"PIPE": syscall.SIGPIPE, "ALRM": syscall.SIGALRM, "TERM": syscall.SIGTERM, "XCPU": syscall.SIGXCPU,
		"XFSZ": syscall.SIGXFSZ, "SYS": syscall.SIGSYS} {
		if sig == status.Signal() {
			return -1, name
		}
	}
	return -1, strconv.Itoa(int(status.Signal()))
}
