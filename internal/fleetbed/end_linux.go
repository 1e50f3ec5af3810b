package fleetbed

import (
	"os/exec"
	"syscall"
)

// endWithThread has c killed when the thread that starts it ends.
func endWithThread(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
