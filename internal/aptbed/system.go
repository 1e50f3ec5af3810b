package aptbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// System makes a device of a root folder that holds a whole Linux system with apt, such as the image of a fleet: it gets a package database of
// its own, with nothing in it, takes packages from an archive that it finds at uri, and installs some. Its dpkg's log begins afterwards, in UTC. It
// wants the rights of root.
func System(ctx context.Context, root, arch string, r *Repo, uri string, suites []string, packages ...string) error {
	key, err := os.ReadFile(r.Key)
	if err != nil {
		return err
	}
	for _, dir := range []string{"etc/apt", "var/lib/dpkg", "var/lib/apt", "var/cache/apt", "var/log/apt"} {
		if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg/info",
		"var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/dpkg/parts", "var/lib/dpkg/alternatives", "var/lib/apt/lists/partial",
		"var/lib/apt/periodic", "var/cache/apt/archives/partial", "var/log/apt", "usr/share/update-notifier"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "", "var/lib/dpkg/arch": arch + "\n",
		"etc/apt/archive.asc": string(key), "etc/apt/sources.list": sources("/etc/apt/archive.asc", uri, suites),
		"etc/apt/apt.conf.d/bed": "Acquire::Languages \"none\";\nAcquire::Retries \"0\";\nAcquire::http::Timeout \"5\";\n",
		"etc/os-release":         "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
		"usr/share/update-notifier/notify-reboot-required": "",
	} {
		path := filepath.Join(root, name)
		_ = os.Remove(path) // it may be a link
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	_ = os.Remove(filepath.Join(root, "etc/localtime")) // the log of dpkg is in UTC
	const script = `set -e
mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
chroot "$1" apt-get -qq update
root=$1
shift
exec chroot "$root" apt-get -qq -y install "$@"`
	c := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--pid", "--fork", "sh", "-c", script, "sh", root}, packages...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("aptbed: %s: install %s: %w: %s", root, strings.Join(packages, " "), err, out)
	}
	return os.Remove(filepath.Join(root, "var/log/dpkg.log"))
}
