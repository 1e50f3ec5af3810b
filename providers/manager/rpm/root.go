package rpm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Root is the root folder of a system: "/" of the running one, or where a disk or an image is mounted. The database in it
// is read by the program rpm of the machine that looks, which changes nothing there but its lock file, and runs nothing of what
// is below the root. It is safe for concurrent use.
type Root struct {
	Dir       string // "" means "/"
	Database  string // the folder of rpm's database below Dir; "" looks for usr/lib/sysimage/rpm and var/lib/rpm
	Program   string // "" means "rpm", wherever PATH has it
	Ecosystem string // whose packages these are: "AlmaLinux:9"; "" takes what os-release says, see [Release.Ecosystem]
}

var _ inventory.Scanner = Root{}

// open opens the root folder. A folder that is not there is a device that cannot be reached.
func (r Root) open() (*os.Root, error) {
	root, err := os.OpenRoot(r.dir())
	if err != nil {
		return nil, fmt.Errorf("rpm: %w: %w", err, patch.ErrUnreachable)
	}
	return root, nil
}

func (r Root) dir() string {
	if r.Dir == "" {
		return string(filepath.Separator)
	}
	return r.Dir
}

// Release reads etc/os-release, or usr/lib/os-release where the first is missing or leads out of the root.
func (r Root) Release() (Release, error) {
	root, err := r.open()
	if err != nil {
		return Release{}, err
	}
	defer root.Close()
	return releaseOf(root)
}

func releaseOf(root *os.Root) (Release, error) {
	f, err := root.Open("etc/os-release")
	if err != nil {
		var again error
		if f, again = root.Open("usr/lib/os-release"); again != nil {
			return Release{}, fmt.Errorf("rpm: os-release: %w", err)
		}
	}
	defer f.Close()
	return ReadRelease(f)
}

// Scan looks at the system below the root and says of d what it found there: software with its coverage, boot ID, and
// whether a restart is due. It implements [inventory.Scanner].
//
// Coverage of [Manager] is complete if rpm listed its database without a complaint, partial if it complained, a line could not be
// read or a package is there twice ([DuplicateError]), and failed if there is no database, no program rpm, no package or no
// ecosystem; Detail says why. Only a root that is not there is an error; it wraps [patch.ErrUnreachable].
//
// On a running system (one with a boot ID) the kernels in use are marked as Running, where their version is that of the running
// kernel as rpm writes it. PendingReboot is yes if the file run/reboot-needed of SUSE exists, or if one of those packages
// was installed after the last boot for which dnf's needs-restarting asks for a restart: kernel, glibc, systemd, dbus, firmware. It
// is no if all was listed and none was. On other systems it is unknown.
func (r Root) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	if err := ctx.Err(); err != nil {
		return inventory.Scan{}, err
	}
	root, err := r.open()
	if err != nil {
		return inventory.Scan{}, err
	}
	defer root.Close()
	e := evidence{at: time.Now().UTC()}
	e.list, e.err = r.list(ctx, root)
	if ctx.Err() != nil {
		return inventory.Scan{}, ctx.Err()
	}
	read := func(name string) string {
		content, _ := root.ReadFile(name)
		return strings.TrimSpace(string(content))
	}
	e.bootID, e.kernel = read("proc/sys/kernel/random/boot_id"), read("proc/sys/kernel/osrelease")
	if f, err := root.Open("proc/stat"); err == nil {
		e.boot = bootOf(f)
		f.Close()
	}
	_, err = root.Stat("run/reboot-needed")
	e.due = err == nil
	return e.scan(d), nil
}

// list returns what is installed, and what stands against the list being complete. The list is nil if there is none.
func (r Root) list(ctx context.Context, root *os.Root) ([]installed, error) {
	ecosystem := r.Ecosystem
	if ecosystem == "" {
		release, err := releaseOf(root)
		if err != nil {
			return nil, err
		}
		ecosystem = release.Ecosystem()
	}
	database, err := r.database(root)
	if err != nil {
		return nil, err
	}
	output, complaints, err := r.query(ctx, database, QueryFormat)
	if err != nil && strings.Contains(complaints, "MODULARITYLABEL") {
		output, complaints, err = r.query(ctx, database, OldQueryFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("rpm: query: %w: %s", err, abbreviate(complaints))
	}
	return listOf(output, complaints, ecosystem)
}

// database returns the path of the folder with rpm's database. Rpm itself takes a folder without one for an empty one, so the
// files are looked for.
func (r Root) database(root *os.Root) (string, error) {
	folders := []string{"usr/lib/sysimage/rpm", "var/lib/rpm"}
	if r.Database != "" {
		folders = []string{filepath.ToSlash(r.Database)}
	}
	for _, folder := range folders {
		for _, file := range []string{"rpmdb.sqlite", "Packages.db", "Packages"} {
			if info, err := root.Stat(folder + "/" + file); err == nil && info.Mode().IsRegular() {
				return filepath.Abs(filepath.Join(r.dir(), filepath.FromSlash(folder)))
			}
		}
	}
	return "", fmt.Errorf("rpm: no database in %s: %w", strings.Join(folders, " or "), os.ErrNotExist)
}

// query runs rpm and returns what it printed, and of its complaints those that are no warnings.
func (r Root) query(ctx context.Context, database, format string) (output []byte, complaints string, err error) {
	program := r.Program
	if program == "" {
		program = "rpm"
	}
	var out, complained capped
	cmd := exec.CommandContext(ctx, program, "--dbpath", database, "-qa", "--queryformat", format)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &complained
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	if out.full || complained.full {
		return nil, "", errors.New("rpm prints without end")
	}
	return out.text.Bytes(), complaintsOf(complained.text.Bytes()), err
}

// A capped buffer holds at most 64 MiB.
type capped struct {
	text bytes.Buffer
	full bool
}

func (c *capped) Write(p []byte) (int, error) {
	if c.text.Len()+len(p) > 64<<20 {
		c.full = true
		return 0, io.ErrShortWrite
	}
	return c.text.Write(p)
}

// bootOf returns when the system was started, by the kernel's statistics (proc/stat); zero if they do not say.
func bootOf(stat io.Reader) time.Time {
	for lines := bufio.NewScanner(io.LimitReader(stat, 1<<20)); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "btime "); found {
			if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 {
				return time.Unix(seconds, 0).UTC()
			}
		}
	}
	return time.Time{}
}
