package fleetbed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
		os.Symlink("/dev/null", filepath.Join(units, "systemd-remount-fs.service")), // the root is what it is: an overlay may not be mounted anew
	)
}

// nspawnReboot is the exit code by which systemd-nspawn says that the device wants to be started again.
const nspawnReboot = 133

// cgroups is where systemd keeps its groups of processes, on systems that have that folder.
const cgroups = "/sys/fs/cgroup/systemd"

// cgroup is the folder of the group that all processes of d are in. Without one of its own, devices would take away each other's groups of the same
// service.
func (d *Device) cgroup() string {
	return filepath.Join(cgroups, "fleetbed"+strings.ReplaceAll(d.dir, "/", "-"))
}

// grouped runs a command in a group. Where there are none, or none may be made, it runs it as it is.
const grouped = `if [ -d "${0%/*}" ]; then mkdir -p "$0" && echo $$ >"$0/cgroup.procs" || :; fi
exec "$@"`

// ungroup removes the group of d, and those in it, the innermost first. Without processes they are empty.
func (d *Device) ungroup() {
	var all []string
	_ = filepath.WalkDir(d.cgroup(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for _, path := range slices.Backward(all) {
		_ = os.Remove(path)
	}
}

// nspawn is the command that starts a device with systemd.
func (d *Device) nspawn() []string {
	return []string{"sh", "-c", grouped, d.cgroup(), "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--directory=" + d.Root, "--machine=" + d.Name,
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
