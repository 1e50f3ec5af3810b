package fleetbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// inside is set in a process that has the namespaces of its own.
const inside = "PATCHFLOW_FLEETBED"

// Main runs the tests of a package in namespaces of their own, where the machine allows that; elsewhere it runs them as they are,
// and [New] says what is missing. Their network is that of the devices and 127.0.0.1. They see their own processes only, and those end with
// them, however they end: by the limit of time for tests, or killed. It does not return.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		_ = command("ip", "link", "set", "lo", "up") // New says that the program is missing
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		os.Exit(m.Run())
	}
	// The tests are the first process of their namespace: when it ends the kernel kills all others.
	c := exec.Command(unshare, append([]string{"--net", "--mount", "--propagation", "private", "--pid", "--mount-proc", "--kill-child", "--fork",
		"--", os.Args[0]}, os.Args[1:]...)...)
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	runtime.LockOSThread() // with whose end unshare ends
	endWithThread(c)
	err = c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleetbed:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
