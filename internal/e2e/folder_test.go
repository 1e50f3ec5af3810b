package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/rollout"
)

// folders is a fleet on disk: a folder for each device. It survives the process that deploys to it at any moment, since it
// keeps nothing in memory but its locks. In a device's folder are
//
//	version    what is installed
//	boot       how often it was restarted
//	log        a line for everything that begins or ends on it, in order
//	task-ID    a marker for each task that it was given, whose size is the number of questions about it; with .end: its end
type folders struct {
	dir   string
	event func(what string) // hears of every change of a file
	locks sync.Map          // of devices
}

const (
	oldVersion, newVersion = "1", "2"
	questions              = 3 // how often a task is asked about before it ends
)

var (
	_ inventory.Source  = (*folders)(nil)
	_ rollout.Deployer  = (*folders)(nil)
	_ rollout.Verifier  = (*folders)(nil)
	_ rollout.Rebooter  = (*folders)(nil)
	_ rollout.Canceller = (*folders)(nil)
)

// deviceName names device i. What it does follows from its number: those by five fail first, those by four want a restart.
func deviceName(i int) inventory.DeviceID { return inventory.DeviceID(fmt.Sprintf("pc-%02d", i)) }

func number(d inventory.DeviceID) int {
	n, err := strconv.Atoi(strings.TrimPrefix(string(d), "pc-"))
	if err != nil {
		panic(err)
	}
	return n
}

func failsFirst(d inventory.DeviceID) bool   { return number(d)%5 == 0 }
func wantsRestart(d inventory.DeviceID) bool { return number(d)%4 == 1 }

// makeFolders makes n devices.
func makeFolders(dir string, n int) error {
	for i := range n {
		d := filepath.Join(dir, string(deviceName(i)))
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d, "version"), []byte(oldVersion), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *folders) file(d inventory.DeviceID, name string) string {
	return filepath.Join(f.dir, string(d), name)
}

func (f *folders) read(d inventory.DeviceID, name string) (string, error) {
	b, err := os.ReadFile(f.file(d, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// place writes a file, all or nothing.
func (f *folders) place(d inventory.DeviceID, name, content string) error {
	path := f.file(d, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// note appends a line to the log of a device, unless it is there: whoever wrote it may have died before anything else.
func (f *folders) note(d inventory.DeviceID, line string) error {
	log, err := f.read(d, "log")
	if err != nil || strings.Contains("\n"+log, "\n"+line+"\n") {
		return err
	}
	err = f.append(d, "log", line+"\n")
	f.event("noted on a device that something " + strings.Fields(line)[0] + "s")
	return err
}

func (f *folders) append(d inventory.DeviceID, name, text string) error {
	file, err := os.OpenFile(f.file(d, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func (f *folders) lock(d inventory.DeviceID) (unlock func()) {
	mu, _ := f.locks.LoadOrStore(d, new(sync.Mutex))
	mu.(*sync.Mutex).Lock()
	return mu.(*sync.Mutex).Unlock
}

func marker(t rollout.Task) string { return "task-" + url.QueryEscape(string(t.ID)) }

// Devices lists the folders.
func (f *folders) Devices(_ context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		entries, err := os.ReadDir(f.dir)
		if err != nil {
			yield(inventory.Device{}, err)
			return
		}
		for _, e := range entries {
			id := inventory.DeviceID(e.Name())
			installed, err := f.read(id, "version")
			d := inventory.Device{Tenant: "acme", ID: id,
				Software: []inventory.Software{{Manager: "dpkg", Ecosystem: "Debian:12", Name: "openssl", Version: deb(installed)}},
				Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// Patches publishes one patch.
func (f *folders) Patches(context.Context, patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		yield(patch.Patch{ID: "debian:openssl=2", Title: "openssl 2", Classification: patch.ClassSecurity,
			Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "openssl", Fixed: deb(newVersion)}}}, nil)
	}
}

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// Deploy implements [rollout.Deployer].
func (f *folders) Deploy(_ context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(t)
}

// Reboot implements [rollout.Rebooter].
func (f *folders) Reboot(_ context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(t)
}

// Cancel implements [rollout.Canceller]: nothing can be stopped.
func (f *folders) Cancel(context.Context, rollout.Task) error { return nil }

// Verify reads what is installed.
func (f *folders) Verify(_ context.Context, t rollout.Task) (rollout.Report, error) {
	defer f.lock(t.Device)()
	installed, err := f.read(t.Device, "version")
	if err != nil {
		return rollout.Report{}, err
	}
	f.event("verified on a device")
	if installed != newVersion {
		return rollout.Report{Phase: rollout.PhaseFailed, Message: "openssl is at " + installed}, nil
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}, nil
}

// begin begins a task, once. The marker is what makes it once; the log is what is believed in the end.
func (f *folders) begin(t rollout.Task) (rollout.Report, error) {
	defer f.lock(t.Device)()
	file, err := os.OpenFile(f.file(t.Device, marker(t)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
		f.event("marked on a device")
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		err = f.note(t.Device, "begin "+t.Op.String()+" "+string(t.ID))
	}
	if err != nil {
		return rollout.Report{}, err
	}
	return f.stands(t)
}

// Status implements [rollout.Deployer]. Every question brings the task on.
func (f *folders) Status(_ context.Context, t rollout.Task) (rollout.Report, error) {
	defer f.lock(t.Device)()
	asked, err := os.ReadFile(f.file(t.Device, marker(t)))
	if errors.Is(err, fs.ErrNotExist) {
		return rollout.Report{}, nil // it was never given
	}
	if err != nil {
		return rollout.Report{}, err
	}
	end, err := f.read(t.Device, marker(t)+".end")
	if err == nil && end == "" {
		if len(asked) < questions {
			err = f.append(t.Device, marker(t), "?")
		} else {
			err = f.end(t)
		}
	}
	if err != nil {
		return rollout.Report{}, err
	}
	return f.stands(t)
}

// end ends a task: what it does is done before anybody can see that it has ended, and may be done again.
func (f *folders) end(t rollout.Task) error {
	end := "ok"
	switch {
	case t.Op == rollout.OpReboot:
		if err := f.place(t.Device, "boot", "boot of "+string(t.ID)); err != nil {
			return err
		}
	case failsFirst(t.Device) && t.Attempt == 1:
		end = "failed"
	default:
		if err := f.place(t.Device, "version", newVersion); err != nil {
			return err
		}
	}
	f.event("done on a device")
	if err := f.note(t.Device, "end "+t.Op.String()+" "+string(t.ID)+" "+end); err != nil {
		return err
	}
	if err := f.place(t.Device, marker(t)+".end", end); err != nil {
		return err
	}
	f.event("ended on a device")
	return nil
}

// stands says how a task stands that was begun.
func (f *folders) stands(t rollout.Task) (rollout.Report, error) {
	end, err := f.read(t.Device, marker(t)+".end")
	if err != nil {
		return rollout.Report{}, err
	}
	boot, err := f.read(t.Device, "boot")
	if err != nil {
		return rollout.Report{}, err
	}
	switch end {
	case "":
		return rollout.Report{Phase: rollout.PhaseRunning, Ref: "folder"}, nil
	case "failed":
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "told to fail", BootID: boot}, nil
	}
	owes := patch.No
	if t.Op == rollout.OpInstall && wantsRestart(t.Device) {
		owes = patch.Yes
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: owes, BootID: boot}, nil
}

// history returns the lines of a device's log.
func (f *folders) history(d inventory.DeviceID) ([]string, error) {
	log, err := f.read(d, "log")
	if err != nil || log == "" {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(log, "\n"), "\n"), nil
}
