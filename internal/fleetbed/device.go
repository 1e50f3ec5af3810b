package fleetbed

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Device is one machine of a [Bed]. Its methods are safe for concurrent use.
type Device struct {
	Name string // also its host name: "d1"
	Addr string // of its ssh server, with the port
	Root string // its file system, as the test sees it

	dir, lower, space, link string // where its overlay lies and on what, its network namespace, this end of its cable
	client, hostKey         string
	systemd                 bool // it is the first of its processes

	mu    sync.Mutex
	main  *exec.Cmd     // the first of its processes; nil without power
	ended chan struct{} // closed when that has ended
	boots int
	log   bytes.Buffer
}

func newDevice(dir string, i int, lower, clientKey string) *Device {
	name := fmt.Sprintf("d%d", i+1)
	d := &Device{Name: name, Addr: fmt.Sprintf("10.77.%d.%d:22", i/250+1, i%250+1), dir: filepath.Join(dir, name),
		lower: lower, space: name, link: "v" + name, client: clientKey}
	d.Root = filepath.Join(d.dir, "root")
	return d
}

// make gives d a file system and a cable.
func (d *Device) make() error {
	if _, err := overlay(d.dir, d.lower); err != nil {
		return err
	}
	host, _, _ := strings.Cut(d.Addr, ":")
	for _, argv := range [][]string{
		{"ip", "netns", "add", d.space},
		{"ip", "link", "add", d.link, "type", "veth", "peer", "name", "eth0", "netns", d.space},
		{"ip", "link", "set", d.link, "master", "bed", "up"},
		{"ip", "-n", d.space, "address", "add", host + "/16", "dev", "eth0"},
		{"ip", "-n", d.space, "link", "set", "eth0", "up"},
		{"ip", "-n", d.space, "link", "set", "lo", "up"},
		{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", d.Name, "-f", filepath.Join(d.dir, "host")},
	} {
		if err := command(argv...); err != nil {
			return err
		}
	}
	public, err := os.ReadFile(filepath.Join(d.dir, "host.pub"))
	if err != nil {
		return err
	}
	d.hostKey = strings.TrimSpace(string(public))
	client, err := os.ReadFile(d.client)
	if err != nil {
		return err
	}
	private, err := os.ReadFile(filepath.Join(d.dir, "host"))
	if err != nil {
		return err
	}
	ssh := filepath.Join(d.home(), ".ssh")
	return errors.Join(
		os.MkdirAll(ssh, 0o700),
		os.WriteFile(filepath.Join(ssh, "authorized_keys"), client, 0o600),
		os.MkdirAll(filepath.Join(d.Root, "etc", "fleetbed"), 0o755),
		os.WriteFile(filepath.Join(d.Root, "etc", "fleetbed", "host"), private, 0o600),
		os.WriteFile(filepath.Join(d.Root, "etc", "hostname"), []byte(d.Name+"\n"), 0o644),
		d.outfit(),
	)
}

// home is the home folder of root on d. It is not that of the machine, where shells may find a lot to do.
func (d *Device) home() string { return filepath.Join(d.dir, "home") }

// start is what the first process of a device does, with its root folder, name, boot and home as arguments. It becomes the ssh
// server.
const start = `set -e
root=$1
hostname "$2"
mount --bind "$4" "$root/root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/run/sshd" "$root/run/lock"
echo "$3" >"$root/run/boot_id"
mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for n in null zero full random urandom tty; do
	: >"$root/dev/$n"
	mount --bind "/dev/$n" "$root/dev/$n"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
exec chroot "$root" /usr/sbin/sshd -D -e -f /dev/null -h /etc/fleetbed/host -o MaxStartups=100 -o PermitRootLogin=prohibit-password \
	-o UsePAM=no -o StrictModes=no -o AuthorizedKeysFile=.ssh/authorized_keys`

// boot switches d on. It says nothing about whether d answers yet.
func (d *Device) boot() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.main != nil {
		return nil
	}
	return d.begin()
}

// begin starts the first process. The caller holds the lock.
func (d *Device) begin() error {
	d.boots++
	boot := fmt.Sprintf("00000000-0000-4000-8000-%012d", d.boots)
	argv := []string{"ip", "netns", "exec", d.space, "unshare", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child",
		"sh", "-c", start, "sh", d.Root, d.Name, boot, d.home()}
	if d.systemd {
		argv = d.nspawn()
	}
	c := exec.Command(argv[0], argv[1:]...)
	d.log.Reset()
	c.Stdout, c.Stderr = &d.log, &d.log
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	d.main, d.ended = c, ended
	go func() {
		_ = c.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		close(ended)
		if d.main != c {
			return // it was cut
		}
		d.main = nil
		restarts := strings.Contains(d.log.String(), "Server listening")
		if d.systemd {
			restarts = c.ProcessState.ExitCode() == nspawnReboot
		}
		if restarts { // it ran, and has ended its first process itself
			_ = d.begin() // who waits for the device is told if it does not come
		}
	}()
	return nil
}

// Boots returns how often d was started.
func (d *Device) Boots() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.boots
}

// Tell says what is known of d, for whoever wonders why it does not answer: how often it was started, whether it is on, and what its first process has
// printed since.
func (d *Device) Tell() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%s at %s: started %d times, on: %v: %s", d.Name, d.Addr, d.boots, d.main != nil, d.log.String())
}

// Cut takes the power away, and returns when all processes of d are gone. What was written to its file system stays.
func (d *Device) Cut() {
	d.mu.Lock()
	c, ended := d.main, d.ended
	d.main = nil
	d.mu.Unlock()
	if c == nil {
		return
	}
	if d.systemd {
		killNspawn(c.Process, ended)
	} else {
		_ = c.Process.Kill()
	}
	<-ended
}

// On gives the power back. It says nothing about whether d answers yet: [Device.Wait].
func (d *Device) On(t testing.TB) {
	t.Helper()
	if err := d.boot(); err != nil {
		t.Fatalf("fleetbed: %s: %v", d.Name, err)
	}
}

// Wait returns when d answers.
func (d *Device) Wait(t testing.TB) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", d.Addr, time.Second); err == nil {
			banner := make([]byte, 4)
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, err = c.Read(banner)
			_ = c.Close()
			if err == nil && string(banner) == "SSH-" {
				return
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("fleetbed: %s: %v", d.Name, t.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Fatalf("fleetbed: %s does not answer: %v: %s", d.Name, err, d.log.String())
}

// Unplug pulls the cable of d: it goes on, but nothing reaches it, and it reaches nothing.
func (d *Device) Unplug(t testing.TB) {
	t.Helper()
	run(t, "ip", "link", "set", d.link, "down")
}

// Plug puts the cable back.
func (d *Device) Plug(t testing.TB) {
	t.Helper()
	run(t, "ip", "link", "set", d.link, "up")
}

// remove undoes what make did. What is not there any more is no matter. A namespace that is deleted is gone a while later: the cable is
// taken away by itself.
func (d *Device) remove() {
	_ = command("ip", "link", "delete", d.link)
	_ = command("ip", "netns", "delete", d.space)
	_ = command("umount", "--lazy", d.Root)
	if d.systemd {
		d.ungroup()
	}
}
