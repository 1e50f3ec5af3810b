package com_test

import (
	"context"
	"fmt"
	"os"

	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows/registry"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/manager/wua/com"
	"github.com/patchflow/patchflow/providers/manager/wua/internal/fake"
	"github.com/patchflow/patchflow/rollout"
)

const (
	cumulative = "f39d68ab-1519-4df8-85c1-d985be7f49c3"
	tool       = "11111111-2222-4333-8444-555555555555"
	older      = "0b2d9a1e-0000-4df8-85c1-d985be7f49c3"
	bootKey    = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`
)

func setBoot(t *testing.T, n uint32) {
	t.Helper()
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, bootKey, registry.SET_VALUE)
	require.NoError(t, err)
	require.NoError(t, k.SetDWordValue("BootId", n))
	require.NoError(t, k.Close())
}

func TestTheWholeLifeOfAnUpdate(t *testing.T) {
	m := &fake.Machine{Updates: []*fake.Update{
		{ID: cumulative, KB: "5025239", Title: "Cumulative Update", Supersedes: []string{older}, Restart: true, Licence: true},
		{ID: tool, KB: "890830", Title: "Removal Tool ü", Exclusive: true},
		{ID: older, KB: "5025001", Title: "older Cumulative Update"},
	}}
	agent(t, m)
	setBoot(t, 41)
	restarts := &com.Agent{RestartWith: []string{"reg.exe", "add", `HKLM\` + bootKey, "/v", "BootId", "/t", "REG_DWORD", "/d", "42", "/f"}}
	folder, err := os.MkdirTemp("", "ledger") // with the prefix it goes: Go's own way to remove a tree fails under wine
	require.NoError(t, err)
	d, err := wua.New(wua.Config{Agent: restarts, Tenant: "acme", Device: "ada", Folder: folder, AcceptLicences: true, Poll: time.Millisecond})
	require.NoError(t, err)
	n := 0
	task := func(op rollout.Op, ids ...patch.ID) rollout.Task {
		n++
		task := rollout.Task{ID: rollout.TaskID(fmt.Sprintf("acme:q1/test/ada/%s/%d", op, n)), Tenant: "acme", Device: "ada", Op: op}
		for _, id := range ids {
			task.Content.Patches = append(task.Content.Patches, rollout.Pinned{ID: id})
		}
		return task
	}

	scan, err := d.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
	require.NoError(t, err)
	require.Equal(t, inventory.Complete, scan.Coverage[0].Status, scan.Coverage[0].Detail)
	require.ElementsMatch(t, []patch.ID{"wua:" + cumulative, "wua:" + tool}, scan.Missing)
	require.Equal(t, "41", scan.BootID)
	require.Equal(t, patch.No, scan.PendingReboot)

	r, err := d.Deploy(t.Context(), task(rollout.OpInstall, "msrc:KB5025239", "msrc:KB890830"))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, []string{"download " + cumulative + " " + tool, "install " + cumulative, "install " + tool}, m.Log)

	reboot := task(rollout.OpReboot)
	reboot.BootID = "41"
	r, err = d.Reboot(t.Context(), reboot)
	require.NoError(t, err)
	require.Equal(t, "42", r.BootID, "%+v", r)
	require.NoError(t, m.Restart(t.Context())) // the updates see it too
	verify := task(rollout.OpVerify, "wua:"+cumulative, "wua:"+tool, "wua:"+older)
	r, err = d.Verify(t.Context(), verify)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)

	r, err = d.Rollback(t.Context(), task(rollout.OpRollback, "wua:"+cumulative))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	verify = task(rollout.OpVerify, "wua:"+cumulative)
	verify.Absent = true
	r, err = d.Verify(t.Context(), verify)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)

	m.Do(func(m *fake.Machine) { m.Find(cumulative).InstallFails = 0x80073712 })
	r, err = d.Deploy(t.Context(), task(rollout.OpInstall, "wua:"+cumulative))
	require.NoError(t, err)
	require.Equal(t, patch.Corrupt, r.Fault, r.Message)
	require.Contains(t, r.Message, "ERROR_SXS_COMPONENT_STORE_CORRUPT")
	m.Do(func(m *fake.Machine) { m.Find(cumulative).InstallFails, m.Busy = 0, true })
	r, err = d.Deploy(t.Context(), task(rollout.OpInstall, "wua:"+cumulative))
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault, r.Message)
	m.Do(func(m *fake.Machine) { m.Busy, m.Before = false, true })
	sys, err := restarts.System(t.Context())
	require.NoError(t, err)
	require.Equal(t, patch.Yes, sys.BeforeInstall)

	t.Run("what a search tells", func(t *testing.T) {
		found, err := restarts.Search(t.Context(), "IsInstalled=0")
		require.NoError(t, err)
		require.Empty(t, found.Refused)
		i := 0
		for found.Updates[i].UpdateID != cumulative {
			i++
		}
		u := found.Updates[i]
		require.Equal(t, []string{"5025239"}, u.KBs)
		require.Equal(t, []string{"CVE-2026-1234"}, u.CVEs)
		require.Equal(t, []string{older}, u.SupersededIDs)
		require.Equal(t, int64(200), u.RevisionNumber)
		require.Equal(t, int64(5<<30), u.MaxDownloadSize)
		require.Equal(t, time.Date(2026, 11, 10, 18, 0, 0, 0, time.UTC), u.Changed)
		require.Equal(t, "Security Updates", u.Categories[0].Name)
		require.Equal(t, patch.ClassSecurity, u.Patch().Classification)
		require.Contains(t, u.Unreadable["MoreInfoUrls"], "0x80240032")
	})
	t.Run("what it refuses", func(t *testing.T) {
		_, err := restarts.Search(t.Context(), "IsInstalled=0 or anything")
		var h wua.HRESULT
		require.ErrorAs(t, err, &h)
		require.Equal(t, wua.HRESULT(0x80240032), h)
		_, err = restarts.Install(t.Context(), []string{"x' or IsInstalled=0 or UpdateID='"}, false)
		require.ErrorIs(t, err, patch.ErrPermanent)
		_, err = restarts.Install(t.Context(), []string{"aaaaaaaa-2222-4333-8444-555555555555"}, false)
		require.ErrorIs(t, err, patch.ErrNotApplicable)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = restarts.Install(over, []string{tool}, false)
		require.ErrorIs(t, err, context.Canceled)
		_, err = restarts.Search(over, "IsInstalled=0")
		require.ErrorIs(t, err, context.Canceled)
		require.Error(t, (&com.Agent{RestartWith: []string{"no-such-program.exe"}}).Restart(t.Context()))
	})
}
