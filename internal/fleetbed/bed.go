package fleetbed

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/patchflow/patchflow/internal/need"
)

// Gateway is the address of the test in the network of the devices: what it serves there they can reach.
const Gateway = "10.77.0.1"

// A Bed is a fleet that runs until its test ends.
type Bed struct {
	Devices []*Device

	// Key is a file with the private key of the user root on all devices, and KnownHosts one with the keys of the devices.
	Key, KnownHosts string
}

// New makes a fleet of n devices and returns when all of them answer.
func New(t testing.TB, n int) *Bed { return From(t, n, nil) }

// From does the same with devices that have something in common: image, unless it is nil, is called with a root folder before there
// are any, and what it writes there every device has. The address [Gateway] is there by then.
func From(t testing.TB, n int, image func(root string)) *Bed {
	t.Helper()
	return build(t, n, image, false)
}

// Systemd does the same with devices whose first process is systemd: they really shut down and start again, with services, a journal and a
// boot ID of their own. A device runs the service bed.service, its ssh server, and nothing that this machine runs. It needs the program
// systemd-nspawn. More than about a dozen devices want more inotify instances than most machines allow.
func Systemd(t testing.TB, n int, image func(root string)) *Bed {
	t.Helper()
	need.Tool(t, "systemd-nspawn")
	return build(t, n, image, true)
}

func build(t testing.TB, n int, image func(root string), systemd bool) *Bed {
	t.Helper()
	need.Root(t)
	for _, program := range []string{"unshare", "ip", "mount", "umount", "sshd", "ssh-keygen"} {
		need.Tool(t, program)
	}
	if os.Getenv(inside) == "" {
		t.Fatal("fleetbed: TestMain must call fleetbed.Main")
	}
	if n < 1 || n > 250*250 {
		t.Fatalf("fleetbed: %d devices", n)
	}
	// Overlays cannot lie on an overlay, which a temporary folder may.
	dir := t.TempDir()
	run(t, "mount", "-t", "tmpfs", "-o", "size=75%,mode=0755", "fleetbed", dir)
	t.Cleanup(func() { run(t, "umount", "--lazy", dir) })
	run(t, "mount", "-t", "tmpfs", "-o", "mode=0755", "fleetbed", "/run")
	t.Cleanup(func() { run(t, "umount", "--lazy", "/run") })
	makeDir(t, "/run/netns")
	makeDir(t, "/run/systemd") // systemd-nspawn takes this machine for one that has it

	run(t, "ip", "link", "add", "bed", "type", "bridge")
	t.Cleanup(func() { run(t, "ip", "link", "delete", "bed") })
	run(t, "ip", "address", "add", Gateway+"/16", "dev", "bed")
	run(t, "ip", "link", "set", "bed", "up")

	lower := "/"
	if image != nil {
		common := filepath.Join(dir, "image")
		root, err := overlay(common, lower)
		if err != nil {
			t.Fatalf("fleetbed: image: %v", err)
		}
		image(root)
		run(t, "umount", root)
		lower = filepath.Join(common, "upper") + ":" + lower
	}
	b := &Bed{Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts")}
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", b.Key)
	for i := range n {
		d := newDevice(dir, i, lower, b.Key+".pub")
		d.systemd = systemd
		b.Devices = append(b.Devices, d)
	}
	// A few at once: making one is mostly waiting for programs to start.
	var wg sync.WaitGroup
	errs := make([]error, n)
	turns := make(chan struct{}, 4)
	for i, d := range b.Devices {
		wg.Add(1)
		go func() {
			defer wg.Done()
			turns <- struct{}{}
			defer func() { <-turns }()
			if errs[i] = d.make(); errs[i] == nil {
				errs[i] = d.boot()
			}
		}()
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, d := range b.Devices {
			d.Cut()
			d.remove()
		}
	})
	var known bytes.Buffer
	for i, d := range b.Devices {
		if errs[i] != nil {
			t.Fatalf("fleetbed: %s: %v", d.Name, errs[i])
		}
		host, _, _ := strings.Cut(d.Addr, ":")
		fmt.Fprintf(&known, "%s %s\n", host, d.hostKey)
	}
	if err := os.WriteFile(b.KnownHosts, known.Bytes(), 0o600); err != nil {
		t.Fatalf("fleetbed: %v", err)
	}
	for _, d := range b.Devices {
		d.Wait(t)
	}
	return b
}

// overlay mounts a file system on dir/root that keeps in dir/upper what is written to it, and has all else from lower.
func overlay(dir, lower string) (root string, err error) {
	for _, sub := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	root = filepath.Join(dir, "root")
	return root, command("mount", "-t", "overlay", "fleetbed", "-o",
		fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, filepath.Join(dir, "upper"), filepath.Join(dir, "work")), root)
}

func makeDir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("fleetbed: %v", err)
	}
}

func run(t testing.TB, argv ...string) {
	t.Helper()
	if err := command(argv...); err != nil {
		t.Fatalf("fleetbed: %v", err)
	}
}

func command(argv ...string) error {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%q: %w: %s", argv, err, out)
	}
	return nil
}
