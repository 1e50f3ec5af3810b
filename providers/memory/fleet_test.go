package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

func at(hour, minute int) time.Time { return time.Date(2026, 1, 5, hour, minute, 0, 0, time.UTC) }

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

func software(name, text string) inventory.Software {
	return inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: name, Version: deb(text)}
}

// pin is a patch that brings packages, given as name and version in turn, to the versions.
func pin(id patch.ID, packages ...string) rollout.Pinned {
	p := rollout.Pinned{ID: id}
	for i := 0; i < len(packages); i += 2 {
		p.Packages = append(p.Packages, patch.Package{Ecosystem: "Debian:12", Name: packages[i], Fixed: deb(packages[i+1])})
	}
	return p
}

// bench is a fleet with the device ada, a clock, and the behaviour of all devices.
type bench struct {
	*memory.Fleet
	t         *testing.T
	now       time.Time
	behaviour memory.Behaviour
	seq       uint32
}

func newBench(t *testing.T) *bench {
	b := &bench{Fleet: new(memory.Fleet), t: t, now: at(9, 0)}
	b.Now = func() time.Time { return b.now }
	b.Behave = func(inventory.DeviceID, rollout.Task) memory.Behaviour { return b.behaviour }
	b.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{
		software("openssl", "3.0.14"), software("curl", "7.88"), software("bash", "5.2")}, Missing: []patch.ID{"wua:KB1"}})
	return b
}

func (b *bench) task(op rollout.Op, patches ...rollout.Pinned) rollout.Task {
	b.seq++
	k := rollout.Key{Tenant: "acme", ID: "q1"}
	return rollout.Task{ID: rollout.NewTaskID(k, "pilot", "ada", op, b.seq), Rollout: k, Ring: "pilot", Tenant: "acme", Device: "ada", Op: op,
		Content: rollout.Content{Patches: patches}, Attempt: 1, Issued: b.now}
}

func (b *bench) do(t rollout.Task) rollout.Report {
	b.t.Helper()
	call := map[rollout.Op]func(context.Context, rollout.Task) (rollout.Report, error){rollout.OpInstall: b.Deploy,
		rollout.OpVerify: b.Verify, rollout.OpRollback: b.Rollback, rollout.OpReboot: b.Reboot}[t.Op]
	r, err := call(b.t.Context(), t)
	require.NoError(b.t, err)
	return r
}

func (b *bench) status(t rollout.Task) rollout.Report {
	b.t.Helper()
	r, err := b.Status(b.t.Context(), t)
	require.NoError(b.t, err)
	return r
}

// versions returns what ada has, by name.
func (b *bench) versions() map[string]string {
	b.t.Helper()
	d, found := b.Device("acme", "ada")
	require.True(b.t, found)
	v := make(map[string]string)
	for _, s := range d.Software {
		v[s.Name] = s.Version.Text
	}
	return v
}

func TestInstall(t *testing.T) {
	held := software("linux", "6.1")
	held.Held = true
	for name, row := range map[string]struct {
		patches []rollout.Pinned
		phase   rollout.Phase
		fault   patch.Fault
		changed map[string]string
	}{
		"exactly the pinned version":                      {[]rollout.Pinned{pin("p", "curl", "7.90")}, rollout.PhaseSucceeded, 0, map[string]string{"curl": "7.90"}},
		"packages that are not there are left":            {[]rollout.Pinned{pin("p", "curl", "7.90", "zsh", "6")}, rollout.PhaseSucceeded, 0, map[string]string{"curl": "7.90"}},
		"several patches in their order":                  {[]rollout.Pinned{pin("p", "curl", "7.90"), pin("q", "curl", "7.91", "bash", "5.3")}, rollout.PhaseSucceeded, 0, map[string]string{"curl": "7.91", "bash": "5.3"}},
		"the same version is already installed":           {[]rollout.Pinned{pin("p", "curl", "7.88")}, rollout.PhaseFailed, patch.AlreadyInstalled, nil},
		"a newer version supersedes it":                   {[]rollout.Pinned{pin("p", "curl", "7.1")}, rollout.PhaseFailed, patch.Superseded, nil},
		"a package that is not there":                     {[]rollout.Pinned{pin("p", "zsh", "6")}, rollout.PhaseFailed, patch.NotApplicable, nil},
		"a package of another ecosystem":                  {[]rollout.Pinned{{ID: "p", Packages: []patch.Package{{Ecosystem: "Alpine", Name: "curl", Fixed: deb("9")}}}}, rollout.PhaseFailed, patch.NotApplicable, nil},
		"already installed wins over superseded":          {[]rollout.Pinned{pin("p", "curl", "7.1"), pin("q", "bash", "5.2")}, rollout.PhaseFailed, patch.AlreadyInstalled, nil},
		"nothing at all":                                  {nil, rollout.PhaseFailed, patch.NotApplicable, nil},
		"what is idle does not hinder the rest":           {[]rollout.Pinned{pin("p", "curl", "7.1"), pin("q", "bash", "5.3")}, rollout.PhaseSucceeded, 0, map[string]string{"bash": "5.3"}},
		"a held package needs a user, all or none":        {[]rollout.Pinned{pin("p", "curl", "7.90"), pin("q", "linux", "6.2")}, rollout.PhaseFailed, patch.NeedsUser, nil},
		"versions that cannot be compared":                {[]rollout.Pinned{pin("p", "bash", "5.3"), {ID: "q", Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "curl", Fixed: version.Version{Scheme: "none", Text: "9"}}}}}, rollout.PhaseFailed, patch.Permanent, nil},
		"a patch without packages that it misses":         {[]rollout.Pinned{pin("wua:KB1")}, rollout.PhaseSucceeded, 0, nil},
		"a patch without packages that it has no use for": {[]rollout.Pinned{pin("wua:KB2")}, rollout.PhaseFailed, patch.NotApplicable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			d, _ := b.Device("acme", "ada")
			d.Software = append(d.Software[:len(d.Software):len(d.Software)], held)
			b.AddDevice(d)
			want := b.versions()
			for name, v := range row.changed {
				want[name] = v
			}
			r := b.do(b.task(rollout.OpInstall, row.patches...))
			require.Equal(t, row.phase, r.Phase, r.Message)
			require.Equal(t, row.fault, r.Fault, r.Message)
			require.Empty(t, cmp.Diff(want, b.versions()))
		})
	}
}

func TestArchitecturesAreMatchedAsByAssess(t *testing.T) {
	for _, row := range []struct {
		offered, installed, native string
		fits                       bool
	}{
		{"", "amd64", "amd64", true}, {"all", "amd64", "amd64", true}, {"amd64", "amd64", "arm64", true}, {"amd64", "arm64", "amd64", false},
		{"amd64", "all", "amd64", true}, {"amd64", "all", "arm64", false}, {"amd64", "", "", true},
	} {
		b := newBench(t)
		s := software("curl", "7")
		s.Arch = row.installed
		b.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Platform: patch.Platform{Arch: row.native}, Software: []inventory.Software{s}})
		p := pin("p", "curl", "8")
		p.Packages[0].Arch = row.offered
		r := b.do(b.task(rollout.OpInstall, p))
		require.Equal(t, row.fits, r.Phase == rollout.PhaseSucceeded, "%+v: %s", row, r.Message)
	}
}

func TestAnInstallationIsFoundRolledBackAndGone(t *testing.T) {
	b := newBench(t)
	before := b.versions()
	content := []rollout.Pinned{pin("p", "curl", "7.90"), pin("q", "curl", "7.91", "bash", "5.3"), pin("wua:KB1")}
	find := func(absent bool) rollout.Report {
		task := b.task(rollout.OpVerify, content...)
		task.Absent = absent
		return b.do(task)
	}
	require.Equal(t, rollout.PhaseFailed, find(false).Phase)
	require.Equal(t, rollout.PhaseSucceeded, find(true).Phase)
	b.do(b.task(rollout.OpInstall, content...))
	require.Equal(t, rollout.PhaseSucceeded, find(false).Phase)
	require.Equal(t, rollout.PhaseFailed, find(true).Phase)
	require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpRollback, content...)).Phase)
	require.Empty(t, cmp.Diff(before, b.versions()))
	d, _ := b.Device("acme", "ada")
	require.Equal(t, []patch.ID{"wua:KB1"}, d.Missing)
	require.Equal(t, rollout.PhaseSucceeded, find(true).Phase)
	r := find(false)
	require.Equal(t, "curl is at 7.88, below 7.90", r.Message)
	require.Equal(t, patch.NoFault, r.Fault)
}

func TestWhatADeviceMissesFollowsItsPackages(t *testing.T) {
	b := newBench(t)
	kb := pin("wua:KB1", "curl", "7.90")
	b.do(b.task(rollout.OpInstall, kb))
	d, _ := b.Device("acme", "ada")
	require.Empty(t, d.Missing)
	b.do(b.task(rollout.OpRollback, kb))
	d, _ = b.Device("acme", "ada")
	require.Equal(t, []patch.ID{"wua:KB1"}, d.Missing)
}

func TestRollbackTakesBackWhatThisFleetInstalledOnly(t *testing.T) {
	b := newBench(t)
	b.do(b.task(rollout.OpInstall, pin("q", "bash", "5.3")))
	want := b.versions()
	r := b.do(b.task(rollout.OpRollback, pin("p", "curl", "7.88"), pin("q", "bash", "5.3")))
	require.Equal(t, rollout.PhaseFailed, r.Phase)
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, "what was there before p is not known")
	require.Empty(t, cmp.Diff(want, b.versions()), "a rollback that fails changes nothing")
}

func TestBehaviour(t *testing.T) {
	curl := pin("p", "curl", "7.90")
	t.Run("a fault changes nothing", func(t *testing.T) {
		b := newBench(t)
		b.behaviour = memory.Behaviour{Fault: patch.DiskFull, Message: "no space left"}
		r := b.do(b.task(rollout.OpInstall, curl))
		require.Equal(t, [3]any{rollout.PhaseFailed, patch.DiskFull, "no space left"}, [3]any{r.Phase, r.Fault, r.Message})
		require.Equal(t, "7.88", b.versions()["curl"])
	})
	t.Run("a lie is found out by a look", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.Lie = true
		require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpInstall, curl)).Phase)
		b.behaviour.Lie = false
		require.Equal(t, rollout.PhaseFailed, b.do(b.task(rollout.OpVerify, curl)).Phase)
	})
	t.Run("what breaks is there, does not work, and is mended by a rollback", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.Breaks = true
		require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpInstall, curl)).Phase)
		b.behaviour.Breaks = false
		require.Equal(t, "7.90", b.versions()["curl"])
		require.Equal(t, patch.Permanent, b.do(b.task(rollout.OpVerify, curl)).Fault)
		require.Equal(t, patch.AlreadyInstalled, b.do(b.task(rollout.OpInstall, curl)).Fault)
		require.Equal(t, patch.Permanent, b.do(b.task(rollout.OpVerify, curl)).Fault, "installed again in vain")
		b.do(b.task(rollout.OpRollback, curl))
		b.do(b.task(rollout.OpInstall, curl))
		require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpVerify, curl)).Phase)
	})
	t.Run("what took the place of a broken patch works", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.Breaks = true
		b.do(b.task(rollout.OpInstall, curl))
		b.behaviour.Breaks = false
		b.do(b.task(rollout.OpRollback, curl))
		b.do(b.task(rollout.OpInstall, pin("q", "curl", "7.91")))
		require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpVerify, curl)).Phase)
	})
	t.Run("a broken patch that was taken away with another one works once it is installed well", func(t *testing.T) {
		b := newBench(t)
		next := pin("q", "curl", "7.91")
		b.do(b.task(rollout.OpInstall, curl))
		b.behaviour.Breaks = true
		b.do(b.task(rollout.OpInstall, next))
		b.behaviour.Breaks = false
		b.do(b.task(rollout.OpRollback, curl))
		require.Equal(t, "7.88", b.versions()["curl"])
		b.do(b.task(rollout.OpInstall, next))
		require.Equal(t, rollout.PhaseSucceeded, b.do(b.task(rollout.OpVerify, next)).Phase)
	})
	t.Run("a restart that is owed is reported until it is done", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.NeedsReboot = true
		r := b.do(b.task(rollout.OpInstall, curl))
		require.Equal(t, [2]any{patch.Yes, "boot-1"}, [2]any{r.Reboot, r.BootID})
		r = b.do(b.task(rollout.OpReboot))
		require.Equal(t, [2]any{patch.No, "boot-2"}, [2]any{r.Reboot, r.BootID})
	})
	t.Run("a patch that always needs a restart leaves one owing", func(t *testing.T) {
		b := newBench(t)
		p := curl
		p.Reboot = patch.RebootAlways
		require.Equal(t, patch.Yes, b.do(b.task(rollout.OpInstall, p)).Reboot)
	})
	t.Run("a device that is offline begins nothing", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.Offline = true
		task := b.task(rollout.OpInstall, curl)
		_, err := b.Deploy(t.Context(), task)
		require.ErrorIs(t, err, patch.ErrUnreachable)
		_, err = b.Status(t.Context(), task)
		require.ErrorIs(t, err, patch.ErrUnreachable)
		require.ErrorIs(t, b.Cancel(t.Context(), task), patch.ErrUnreachable)
		d, _ := b.Device("acme", "ada")
		_, err = b.Scan(t.Context(), d)
		require.ErrorIs(t, err, patch.ErrUnreachable)
		require.Zero(t, b.Installs("ada"))
		b.behaviour.Offline = false
		require.Equal(t, rollout.PhaseSucceeded, b.do(task).Phase, "the ID was not used up")
	})
	t.Run("work goes on while the device is offline", func(t *testing.T) {
		b := newBench(t)
		b.behaviour.Latency = time.Minute
		task := b.task(rollout.OpInstall, curl)
		b.do(task)
		b.behaviour.Offline = true
		b.now = at(9, 1)
		b.behaviour.Offline = false
		require.Equal(t, rollout.PhaseSucceeded, b.status(task).Phase)
	})
	t.Run("it is asked for the zero task before a scan", func(t *testing.T) {
		b := newBench(t)
		var asked rollout.Task
		var device inventory.DeviceID
		b.Behave = func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
			device, asked = d, t
			return memory.Behaviour{}
		}
		_, err := b.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
		require.NoError(t, err)
		require.Equal(t, inventory.DeviceID("ada"), device)
		require.Empty(t, cmp.Diff(rollout.Task{}, asked))
	})
}

func TestTasksTakeTheirTimeOneAfterTheOther(t *testing.T) {
	b := newBench(t)
	b.behaviour.Latency = 10 * time.Minute
	first, second := b.task(rollout.OpInstall, pin("p", "curl", "7.90")), b.task(rollout.OpReboot)
	require.Equal(t, rollout.PhaseRunning, b.do(first).Phase)
	require.Equal(t, rollout.PhaseQueued, b.do(second).Phase)
	require.Equal(t, rollout.PhaseRunning, b.do(first).Phase, "given again")
	b.now = at(9, 9)
	require.Equal(t, "7.88", b.versions()["curl"])
	b.now = at(9, 10)
	require.Equal(t, "7.90", b.versions()["curl"])
	require.Equal(t, rollout.PhaseSucceeded, b.status(first).Phase)
	require.Equal(t, rollout.PhaseRunning, b.status(second).Phase)
	_, err := b.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.ErrorIs(t, err, patch.ErrUnreachable, "the device is restarting")
	b.now = at(12, 0)
	require.Equal(t, "boot-2", b.status(second).BootID)

	type line struct {
		at    time.Time
		op    rollout.Op
		phase rollout.Phase
	}
	var log []line
	for _, e := range b.Log() {
		require.Equal(t, inventory.DeviceID("ada"), e.Device)
		log = append(log, line{e.At, e.Op, e.Phase})
	}
	require.Equal(t, []line{{at(9, 0), rollout.OpInstall, rollout.PhaseRunning}, {at(9, 10), rollout.OpInstall, rollout.PhaseSucceeded},
		{at(9, 10), rollout.OpReboot, rollout.PhaseRunning}, {at(9, 20), rollout.OpReboot, rollout.PhaseSucceeded}}, log)
	require.Equal(t, 1, b.Installs("ada"))
}

func TestAnAgentThatWakesUpTooLateRefusesTheTask(t *testing.T) {
	b := newBench(t)
	b.behaviour.Wait = time.Hour
	inTime, late := b.task(rollout.OpInstall, pin("p", "curl", "7.90")), b.task(rollout.OpInstall, pin("q", "bash", "5.3"))
	inTime.StartBy, late.StartBy = at(10, 0), at(9, 59)
	b.do(inTime)
	require.Equal(t, rollout.PhaseQueued, b.do(late).Phase)
	b.now = at(11, 0)
	require.Equal(t, rollout.PhaseSucceeded, b.status(inTime).Phase)
	r := b.status(late)
	require.Equal(t, [3]any{rollout.PhaseFailed, patch.Busy, "too late to begin: the latest was 2026-01-05T09:59:00Z"}, [3]any{r.Phase, r.Fault, r.Message})
	require.Equal(t, "5.2", b.versions()["bash"])
	require.Equal(t, 1, b.Installs("ada"))
}

func TestCancelStopsWhatHasNotBegun(t *testing.T) {
	b := newBench(t)
	b.behaviour.Latency = 10 * time.Minute
	running, queued, next := b.task(rollout.OpInstall, pin("p", "curl", "7.90")), b.task(rollout.OpInstall, pin("q", "bash", "5.3")),
		b.task(rollout.OpInstall, pin("r", "openssl", "3.0.15"))
	for _, task := range []rollout.Task{running, queued, next} {
		b.do(task)
	}
	require.NoError(t, b.Cancel(t.Context(), running))
	require.NoError(t, b.Cancel(t.Context(), queued))
	require.Equal(t, rollout.PhaseStopped, b.status(queued).Phase)
	require.Equal(t, rollout.PhaseStopped, b.do(queued).Phase, "given again")
	b.now = at(9, 20)
	require.Equal(t, rollout.PhaseSucceeded, b.status(running).Phase, "it had begun")
	require.Equal(t, rollout.PhaseSucceeded, b.status(next).Phase, "it has moved up")
	require.Equal(t, map[string]string{"curl": "7.90", "bash": "5.2", "openssl": "3.0.15"}, b.versions())
	require.NoError(t, b.Cancel(t.Context(), running))
	require.Equal(t, rollout.PhaseSucceeded, b.status(running).Phase)
}

func TestDevicesAreListedAsTheirLastScansFoundThem(t *testing.T) {
	b := newBench(t)
	listed := func() inventory.Device {
		for d, err := range b.Devices(t.Context(), inventory.Query{}) {
			require.NoError(t, err)
			return d
		}
		t.Fatal("no device")
		return inventory.Device{}
	}
	b.do(b.task(rollout.OpInstall, pin("p", "curl", "7.90")))
	b.now = at(10, 0)
	require.Equal(t, deb("7.88"), listed().Software[1].Version)
	require.Equal(t, []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: at(9, 0)}}, listed().Coverage)
	scan, err := b.Scan(t.Context(), listed())
	require.NoError(t, err)
	require.Equal(t, deb("7.90"), scan.Software[1].Version)
	b.now = at(11, 0)
	require.Empty(t, cmp.Diff(scan.Software, listed().Software))
	require.Equal(t, at(10, 0), listed().LastSeen)
	require.Equal(t, []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: at(10, 0)}}, listed().Coverage)
}

func TestAScanLeavesOutWhatItDoesNotCover(t *testing.T) {
	b := newBench(t)
	flatpak := inventory.Software{Manager: "flatpak", Ecosystem: "Flathub", Name: "gimp"}
	b.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{software("curl", "1"), flatpak},
		Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Partial}, {Manager: "flatpak", Status: inventory.Failed, Detail: "no session"}}})
	scan, err := b.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, []inventory.Software{software("curl", "1")}, scan.Software)
	require.Equal(t, inventory.Failed, scan.Coverage[1].Status)
	d, _ := b.Device("acme", "ada")
	require.Len(t, d.Software, 2, "it is still on the device")
}

func TestDevicesOfTheSameNameBelongToTheirTenants(t *testing.T) {
	b := newBench(t)
	old := inventory.Device{Tenant: "beta/berlin", ID: "bob", Software: []inventory.Software{software("curl", "7")}}
	b.AddDevice(old)
	task := b.task(rollout.OpInstall, pin("p", "curl", "8"))
	task.Device, task.Rollout.Tenant, task.Tenant = "bob", "beta", "beta/berlin"
	require.Equal(t, rollout.PhaseSucceeded, b.do(task).Phase, "the device of a tenant below the rollout's")

	elsewhere := task
	elsewhere.ID, elsewhere.Tenant = "elsewhere", "beta"
	_, err := b.Deploy(t.Context(), elsewhere)
	require.EqualError(t, err, `memory: device "bob" of tenant "beta": no such device: permanent failure`)

	old.Tenant = "beta/paris"
	b.AddDevice(old)
	task.ID, task.Tenant = "other", "beta/paris"
	require.Equal(t, rollout.PhaseSucceeded, b.do(task).Phase)
	require.Equal(t, 2, b.Installs("bob"))
}

func TestATaskWithoutAnIDIsRefused(t *testing.T) {
	b := newBench(t)
	_, err := b.Deploy(t.Context(), rollout.Task{Device: "ada"})
	require.ErrorIs(t, err, patch.ErrPermanent)
	require.ErrorContains(t, err, "the task has no ID")
}

func TestADeviceThatIsInstalledAfreshHasForgottenItsWork(t *testing.T) {
	b := newBench(t)
	b.behaviour.Latency = time.Hour
	task := b.task(rollout.OpInstall, pin("p", "curl", "7.90"))
	b.do(task)
	d, _ := b.Device("acme", "ada")
	b.AddDevice(d)
	b.now = at(12, 0)
	_, err := b.Status(t.Context(), task)
	require.ErrorIs(t, err, patch.ErrUnreachable)
	require.Equal(t, "7.88", b.versions()["curl"])
	n := 0
	for range b.Devices(t.Context(), inventory.Query{}) {
		n++
	}
	require.Equal(t, 1, n)
	require.True(t, b.RemoveDevice("acme", "ada"))
	require.False(t, b.RemoveDevice("acme", "ada"))
	_, found := b.Device("acme", "ada")
	require.False(t, found)
	b.AddDevice(d, inventory.Device{Tenant: "acme", ID: "bob"})
	require.True(t, b.RemoveDevice("acme", "ada"))
	_, found = b.Device("acme", "bob")
	require.True(t, found, "what stands behind a removed device is still found")
}

func TestPatchesAreNarrowedByWhatTheySayOfThemselves(t *testing.T) {
	f := new(memory.Fleet)
	f.AddPatch(patch.Patch{ID: "old", Released: at(1, 0), Platform: patch.Platform{OS: "debian", Arch: "all"}},
		patch.Patch{ID: "mended", Released: at(1, 0), Modified: at(5, 0), Platform: patch.Platform{OS: "windows"}},
		patch.Patch{ID: "undated"}, patch.Patch{ID: "old", Released: at(2, 0), Platform: patch.Platform{OS: "debian", Arch: "all"}})
	for _, row := range []struct {
		q    patch.Query
		want []patch.ID
	}{
		{patch.Query{}, []patch.ID{"old", "mended", "undated"}},
		{patch.Query{Since: at(2, 0)}, []patch.ID{"old", "mended", "undated"}},
		{patch.Query{Since: at(2, 1)}, []patch.ID{"mended", "undated"}},
		{patch.Query{Platforms: []patch.Platform{{OS: "debian", Version: "12", Arch: "amd64"}}}, []patch.ID{"old", "undated"}},
		{patch.Query{Platforms: []patch.Platform{{OS: "macos"}, {OS: "windows"}}}, []patch.ID{"mended", "undated"}},
	} {
		var got []patch.ID
		for p, err := range f.Patches(t.Context(), row.q) {
			require.NoError(t, err)
			got = append(got, p.ID)
		}
		require.Equal(t, row.want, got, "%+v", row.q)
	}
}

// A hundred thousand devices of 400 packages each share one list of software. Each of them is patched.
func TestALargeFleetFitsInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const devices = 100_000
	b := newBench(t)
	var list []inventory.Software
	for i := range 400 {
		list = append(list, software(fmt.Sprintf("package-%d", i), "1"))
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began := heap(), time.Now()
	for i := range devices {
		b.AddDevice(inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprintf("d%d", i)), Software: list})
	}
	content := rollout.Content{Patches: []rollout.Pinned{pin("p", "package-7", "2", "package-399", "2")}}
	for i := range devices {
		d := inventory.DeviceID(fmt.Sprintf("d%d", i))
		r, err := b.Deploy(t.Context(), rollout.Task{ID: rollout.TaskID(d), Rollout: rollout.Key{Tenant: "acme"}, Tenant: "acme", Device: d, Content: content})
		if err != nil || r.Phase != rollout.PhaseSucceeded {
			t.Fatal(d, r, err)
		}
	}
	took, used := time.Since(began), (heap()-before)>>20
	t.Logf("%d devices: %s, %d MB", devices, took.Round(time.Millisecond), used)
	require.Less(t, used, uint64(400), "MB")
	require.Equal(t, deb("1"), list[7].Version, "the shared list was written to")
	require.Equal(t, 1, b.Installs("d99999"))
	runtime.KeepAlive(b)
}
