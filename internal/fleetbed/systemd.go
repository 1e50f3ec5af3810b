package fleetbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// service is the ssh server as systemd starts it, with the options of start. target is what a device starts.
const service = `[Unit]
After=basic.target
[Service]
ExecStartPre=mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -e -f /dev/null -h /etc/fleetbed/host -o MaxStartups=100 -o PermitRootLogin=prohibit-password \
 -o UsePAM=no -o StrictModes=no -o AuthorizedKeysFile=.ssh/authorized_keys
`

const target = `[Unit]
Requires=basic.target bed.service
After=basic.target bed.service
AllowIsolate=yes
`

// outfit gives d what it needs to start and to restart.
func (d *Device) outfit() error {
	etc := filepath.Join(d.Root, "etc")
	if !d.systemd {
		// To end the first process is what a device of this kind can do to restart.
		return os.WriteFile(filepath.Join(d.Root, "usr", "local", "sbin", "reboot"), []byte("#!/bin/sh\nkill -TERM 1\n"), 0o755)
	}
	units := filepath.Join(etc, "systemd", "system")
	return errors.Join(
		os.RemoveAll(units), os.RemoveAll(filepath.Join(etc, "fstab")),
		os.MkdirAll(units, 0o755),
		os.WriteFile(filepath.Join(etc, "machine-id"), nil, 0o644), // systemd draws one
		os.WriteFile(filepath.Join(units, "bed.service"), []byte(service), 0o644),
		os.WriteFile(filepath.Join(units, "bed.target"), []byte(target), 0o644),
		os.Symlink("bed.target", filepath.Join(units, "default.target")),
	)
}

// nspawnReboot is the exit code by which systemd-nspawn says that the device wants to be started again.
const nspawnReboot = 133

// nspawn is the command that starts a device with systemd.
func (d *Device) nspawn() []string {
	return []string{"systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--directory=" + d.Root, "--machine=" + d.Name,
		"--network-namespace-path=/run/netns/" + d.space, "--console=pipe", "--bind=" + d.home() + ":/root"}
}

// killNspawn kills the first process of a device, and with it all others. To kill systemd-nspawn itself would leave them there.
func killNspawn(nspawn *os.Process, ended <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn.Pid, nspawn.Pid))
		for _, text := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(text); err == nil {
				if first, err := os.FindProcess(pid); err == nil {
					_ = first.Kill()
				}
			}
		}
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
	_ = nspawn.Kill()
}
