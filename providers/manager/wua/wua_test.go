package wua_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/manager/wua/internal/fake"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

const (
	cumulative = "f39d68ab-1519-4df8-85c1-d985be7f49c3"
	older      = "0b2d9a1e-0000-4df8-85c1-d985be7f49c3"
	tool       = "11111111-2222-4333-8444-555555555555"
)

// machine misses two updates, and has a third.
func machine() *fake.Machine {
	return &fake.Machine{Updates: []*fake.Update{
		{ID: cumulative, KB: "5025239", Title: "Cumulative Update", Supersedes: []string{older}},
		{ID: tool, KB: "890830", Title: "Removal Tool"},
		{ID: older, KB: "5025001", Title: "older Cumulative Update"},
		{ID: "99999999-2222-4333-8444-555555555555", KB: "5000001", Title: "had before", Installed: true},
	}}
}

type bed struct {
	t *testing.T
	m *fake.Machine
	d *wua.Device
	n int
	c wua.Config
}

func newBed(t *testing.T, m *fake.Machine) *bed {
	b := &bed{t: t, m: m, c: wua.Config{Agent: m, Folder: t.TempDir()}}
	b.again()
	return b
}

// again is the program after a crash or a restart.
func (b *bed) again() { b.d = fake.Open(b.t, b.c) }

func (b *bed) task(op rollout.Op, c rollout.Content) rollout.Task {
	b.n++
	return rollout.Task{ID: rollout.TaskID(fmt.Sprintf("acme:q1/test/ada/%s/%d", op, b.n)), Tenant: "acme", Device: "ada", Op: op, Content: c}
}

func (b *bed) deploy(ids ...patch.ID) rollout.Report {
	r, err := b.d.Deploy(b.t.Context(), b.task(rollout.OpInstall, fake.Content(ids...)))
	require.NoError(b.t, err)
	return r
}

func (b *bed) verify(absent bool, ids ...patch.ID) rollout.Report {
	task := b.task(rollout.OpVerify, fake.Content(ids...))
	task.Absent = absent
	r, err := b.d.Verify(b.t.Context(), task)
	require.NoError(b.t, err)
	return r
}

func TestConformance(t *testing.T) {
	fake.Conformance(t, []patch.ID{"wua:" + cumulative, "wua:" + tool}, machine, func(_ *testing.T, m *fake.Machine) wua.Agent { return m })
}

func TestARestartProvesWhatWaitsForIt(t *testing.T) {
	m := machine()
	m.Find(cumulative).Restart = true
	b := newBed(t, m)
	r := b.deploy("msrc:KB5025239")
	require.Equal(t, rollout.PhaseSucceeded, r.Phase)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, rollout.PhaseFailed, b.verify(false, "msrc:KB5025239").Phase, "before the restart it is not there")
	scan, err := b.d.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, patch.Yes, scan.PendingReboot)
	require.Contains(t, scan.Missing, patch.ID("wua:"+cumulative))
	require.Equal(t, inventory.Complete, scan.Coverage[0].Status)

	task := b.task(rollout.OpReboot, fake.Content("msrc:KB5025239"))
	task.BootID = scan.BootID
	r, err = b.d.Reboot(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.No, BootID: "1"}, r)
	task = b.task(rollout.OpReboot, task.Content)
	task.BootID = scan.BootID
	_, err = b.d.Reboot(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, 1, m.Boot, "it has another boot already")
	require.Equal(t, rollout.PhaseSucceeded, b.verify(false, "msrc:KB5025239").Phase)
	require.Equal(t, rollout.PhaseFailed, b.verify(true, "msrc:KB5025239").Phase)
	require.Equal(t, patch.AlreadyInstalled, b.deploy("wua:"+cumulative).Fault)
}

func TestWhatIsNotOffered(t *testing.T) {
	b := newBed(t, machine())
	const nobody = "wua:aaaaaaaa-2222-4333-8444-555555555555"
	require.Equal(t, patch.NotApplicable, b.deploy(nobody).Fault)
	require.Equal(t, patch.Superseded, b.deploy("wua:"+older).Fault, "the newer one is offered instead")
	require.Contains(t, b.verify(false, "wua:"+older).Message, "superseded by one that is not installed")
	r := b.deploy("wua:"+cumulative, nobody)
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, nobody)
	require.Zero(t, b.m.Installs)
	require.Equal(t, rollout.PhaseFailed, b.verify(false, nobody).Phase, "unknown is not there")

	require.Equal(t, rollout.PhaseSucceeded, b.deploy("wua:"+cumulative).Phase)
	require.Equal(t, patch.Superseded, b.deploy("wua:"+older).Fault)
	require.Equal(t, rollout.PhaseSucceeded, b.verify(false, "wua:"+older).Phase, "the newer one is there instead")
}

func TestASearchThatDoesNotTellEverythingProvesNothing(t *testing.T) {
	m := machine()
	b := newBed(t, m)
	m.Result = int64(wua.SucceededWithErrors)
	r := b.deploy("wua:" + cumulative)
	require.Equal(t, patch.Transient, r.Fault)
	require.Contains(t, r.Message, "the agent's result is 3")
	_, err := b.d.Verify(t.Context(), b.task(rollout.OpVerify, fake.Content("wua:"+cumulative)))
	require.ErrorContains(t, err, "the agent's result is 3")
	scan, err := b.d.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, inventory.Partial, scan.Coverage[0].Status)
	require.Zero(t, m.Installs)
}

func TestFaults(t *testing.T) {
	for name, row := range map[string]struct {
		set  func(m *fake.Machine, u *fake.Update)
		want patch.Fault
		says string
	}{
		"store":       {func(_ *fake.Machine, u *fake.Update) { u.InstallFails = 0x80073712 }, patch.Corrupt, "ERROR_SXS_COMPONENT_STORE_CORRUPT"},
		"disk":        {func(_ *fake.Machine, u *fake.Update) { u.DownloadFails = 0x80070070 }, patch.DiskFull, "ERROR_DISK_FULL"},
		"hash":        {func(_ *fake.Machine, u *fake.Update) { u.DownloadFails = 0x80246002 }, patch.Untrusted, "update f39d68ab"},
		"unsigned":    {func(_ *fake.Machine, u *fake.Update) { u.InstallFails = 0x800B0100 }, patch.Untrusted, "TRUST_E_NOSIGNATURE"},
		"name server": {func(_ *fake.Machine, u *fake.Update) { u.DownloadFails = 0x80072EE7 }, patch.Transient, "NAME_NOT_RESOLVED"},
		"new code":    {func(_ *fake.Machine, u *fake.Update) { u.InstallFails = 0x80241234 }, patch.Transient, "0x80241234"},
		"not for it":  {func(_ *fake.Machine, u *fake.Update) { u.InstallFails = 0x80240017 }, patch.NotApplicable, "WU_E_NOT_APPLICABLE"},
		"questions":   {func(_ *fake.Machine, u *fake.Update) { u.Asks = true }, patch.NeedsUser, "may ask questions"},
		"licence":     {func(_ *fake.Machine, u *fake.Update) { u.Licence = true }, patch.NeedsUser, "licence"},
		"busy":        {func(m *fake.Machine, _ *fake.Update) { m.Busy = true }, patch.Busy, "another installation"},
		"restart":     {func(m *fake.Machine, _ *fake.Update) { m.Before = true }, patch.Busy, "restarted before"},
		"disabled":    {func(m *fake.Machine, _ *fake.Update) { m.Disabled = true }, patch.Permanent, "disabled"},
		"cut":         {func(m *fake.Machine, _ *fake.Update) { m.Cut = true }, patch.Unreachable, "search"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			row.set(m, m.Find(cumulative))
			r := newBed(t, m).deploy("wua:" + cumulative)
			require.Equal(t, row.want, r.Fault, r.Message)
			require.Contains(t, r.Message, row.says)
			require.False(t, m.Find(cumulative).Installed)
		})
	}
}

func TestLicencesThatTheVendorAccepts(t *testing.T) {
	m := machine()
	m.Find(tool).Licence = true
	b := newBed(t, m)
	b.c.AcceptLicences = true
	b.again()
	require.Equal(t, rollout.PhaseSucceeded, b.deploy("msrc:KB890830").Phase)
	require.True(t, m.Find(tool).Installed)
}

func TestAnExclusiveUpdateIsInstalledAlone(t *testing.T) {
	m := machine()
	m.Find(cumulative).Exclusive = true
	require.Equal(t, rollout.PhaseSucceeded, newBed(t, m).deploy("wua:"+cumulative, "wua:"+tool).Phase)
	require.Equal(t, []string{"download " + cumulative + " " + tool, "install " + tool, "install " + cumulative}, m.Log)
}

func TestRollback(t *testing.T) {
	m := machine()
	b := newBed(t, m)
	c := []patch.ID{"wua:" + tool, "wua:" + cumulative}
	require.Equal(t, rollout.PhaseSucceeded, b.deploy(c...).Phase)
	m.Log = nil
	undo := func() rollout.Report {
		r, err := b.d.Rollback(t.Context(), b.task(rollout.OpRollback, fake.Content(c...)))
		require.NoError(t, err)
		return r
	}
	m.Find(tool).Fixed = true
	r := undo()
	require.Equal(t, patch.Permanent, r.Fault)
	require.Empty(t, m.Log, "none is touched")
	m.Find(tool).Fixed = false
	require.Equal(t, rollout.PhaseSucceeded, undo().Phase)
	require.Equal(t, []string{"uninstall " + cumulative, "uninstall " + tool}, m.Log, "the last first")
	require.Equal(t, rollout.PhaseSucceeded, b.verify(true, c...).Phase)
	require.Equal(t, rollout.PhaseSucceeded, undo().Phase, "what is not there is no failure")
}

// The program that began a task is gone: killed, or the device has been restarted.
func TestWhatBecameOfATaskWhoseProgramIsGone(t *testing.T) {
	for name, row := range map[string]struct {
		since func(m *fake.Machine)
		want  rollout.Report
	}{
		"it goes on":       {func(m *fake.Machine) { m.Busy = true }, rollout.Report{Phase: rollout.PhaseRunning}},
		"nothing was done": {func(*fake.Machine) {}, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "broken off: 1 updates are as they were"}},
		"it was done": {func(m *fake.Machine) { m.Find(cumulative).Installed = true },
			rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.No, BootID: "0"}},
		"it waits for a restart": {func(m *fake.Machine) { m.Find(cumulative).Pending = true },
			rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.Yes, BootID: "0", Message: "broken off; a restart is due"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			m.Wait, m.Waits = make(chan struct{}), make(chan struct{}, 1)
			b := newBed(t, m)
			b.c.Wait = -1
			b.again()
			task := b.task(rollout.OpInstall, fake.Content("wua:"+cumulative))
			r, err := b.d.Deploy(t.Context(), task)
			require.NoError(t, err)
			require.False(t, r.Phase.Last())
			<-m.Waits // it has looked at the device, and installs
			defer close(m.Wait)
			defer m.Do(func(m *fake.Machine) { m.Updates = nil }) // what still waits finds nothing to do
			b.again()
			m.Do(row.since)
			r, err = b.d.Status(t.Context(), task)
			require.NoError(t, err)
			require.Equal(t, row.want, r)
			if r.Phase.Last() {
				b.again()
				m.Do(func(m *fake.Machine) { m.Busy = true })
				again, err := b.d.Deploy(t.Context(), task)
				require.NoError(t, err)
				require.Equal(t, r, again, "the first word stands, and it never begins twice")
			}
		})
	}
}

// A killed agent is asked to restart the device, and is gone before it does. What it has left is over once the test is.
type killed struct {
	*fake.Machine
	reached, over chan struct{}
}

func (k killed) Restart(ctx context.Context) error {
	close(k.reached)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-k.over:
		return patch.ErrUnreachable
	}
}

func TestARestartThatNobodyHasAskedForIsAskedForAgain(t *testing.T) {
	m := machine()
	b := newBed(t, m)
	dead := killed{m, make(chan struct{}), make(chan struct{})}
	b.c.Agent, b.c.Wait = dead, -1
	b.again()
	t.Cleanup(func() { close(dead.over) })
	task := b.task(rollout.OpReboot, fake.Content("wua:"+cumulative))
	_, err := b.d.Reboot(t.Context(), task)
	require.NoError(t, err)
	<-dead.reached
	b.c.Agent, b.c.Wait = m, 0
	b.again()
	r, err := b.d.Reboot(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.No, BootID: "1"}, r)
}

func TestTasksThatAreRefused(t *testing.T) {
	b := newBed(t, machine())
	for _, id := range []patch.ID{"", "KB5025239", "msrc:KB", "msrc:KB5025239' or IsInstalled=0", "wua:F39D68AB-1519-4df8-85c1-d985be7f49c3",
		"wua:" + cumulative + "\n", "wua:' or '1'='1", "debian:DSA-1", "wua:{" + cumulative + "}", "--help", "msrc:KB50252391234567", "wua:*"} {
		r := b.deploy(id)
		require.Equal(t, patch.Permanent, r.Fault, "%q", id)
		require.ErrorIs(t, wua.CheckID(id), patch.ErrPermanent)
	}
	other := b.task(rollout.OpInstall, fake.Content("wua:"+cumulative))
	other.Device = "bob"
	_, err := b.d.Deploy(t.Context(), other)
	require.ErrorContains(t, err, `device "bob"`)
	other.Device, other.Tenant = "ada", "beta"
	_, err = b.d.Verify(t.Context(), other)
	require.ErrorContains(t, err, `"beta"`)
	_, err = b.d.Scan(t.Context(), inventory.Device{Tenant: "beta", ID: "ada"})
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
	require.Empty(t, b.m.Log)
}

func TestConfig(t *testing.T) {
	whole := wua.Config{Agent: machine(), Device: "ada", Folder: t.TempDir()}
	for field, c := range map[string]wua.Config{
		"Agent": {Device: "ada", Folder: "/x"}, "Device": {Agent: whole.Agent, Folder: "/x"}, "Folder": {Agent: whole.Agent, Device: "ada"},
	} {
		_, err := wua.New(c)
		require.ErrorContains(t, err, field)
	}
	_, err := wua.New(whole)
	require.NoError(t, err)
}

// lost is an agent whose device goes away as soon as an installation has begun, and is busy for a while when it can be asked again.
type lost struct {
	*fake.Machine
	does  bool // the installation comes to its end all the same
	calls *int // of System, since then; nil before
}

func (l *lost) Install(ctx context.Context, ids []string, accept bool) (wua.Outcome, error) {
	if l.does {
		_, _ = l.Machine.Install(ctx, ids, accept)
	}
	l.calls = new(int)
	return wua.Outcome{}, fmt.Errorf("the line is dead: %w: %w", transport.ErrUnknownOutcome, patch.ErrUnreachable)
}

func (l *lost) System(ctx context.Context) (wua.System, error) {
	s, err := l.Machine.System(ctx)
	if l.calls != nil {
		switch *l.calls++; *l.calls {
		case 1:
			return s, patch.ErrUnreachable
		case 2:
			s.BusyInstalling = patch.Yes
		}
	}
	return s, err
}

func TestAnInstallationWhoseEndNobodySawIsLookedFor(t *testing.T) {
	for does, want := range map[bool]rollout.Report{
		true:  {Phase: rollout.PhaseSucceeded, Reboot: patch.No, BootID: "0"},
		false: {Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "broken off: 1 updates are as they were"},
	} {
		b := newBed(t, machine())
		l := &lost{Machine: b.m, does: does}
		b.c.Agent = l
		b.again()
		require.Equal(t, want, b.deploy("wua:"+cumulative))
		require.Equal(t, 3, *l.calls, "it is asked until it answers, and while it installs")
	}
}

// deaf is an agent whose outcomes leave updates out.
type deaf struct{ *fake.Machine }

func (deaf) Install(context.Context, []string, bool) (wua.Outcome, error) {
	return wua.Outcome{Code: wua.Succeeded}, nil
}

func TestAnUpdateThatTheAgentSaysNothingOfHasNotSucceeded(t *testing.T) {
	b := newBed(t, machine())
	b.c.Agent = deaf{b.m}
	b.again()
	r := b.deploy("wua:" + cumulative)
	require.Equal(t, patch.Transient, r.Fault)
	require.Contains(t, r.Message, "does not say what became of it")
}

func TestHRESULT(t *testing.T) {
	var err error = fmt.Errorf("x: %w", wua.HRESULT(0x80240016))
	require.Equal(t, "x: 0x80240016 (WU_E_INSTALL_NOT_ALLOWED)", err.Error())
	require.Equal(t, patch.Busy, patch.FaultOf(err))
	var h wua.HRESULT
	require.True(t, errors.As(err, &h))
	require.Equal(t, "0x80249999", wua.HRESULT(0x80249999).Error())
	require.False(t, strings.Contains(wua.HRESULT(0x80240022).Error(), "%"))
}
