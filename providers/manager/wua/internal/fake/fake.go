// Package fake is a Windows Update Agent for tests: what Microsoft documents of how searches, downloads, installations and restarts
// change what the agent says.
package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/source"
	search "github.com/patchflow/patchflow/providers/source/wua"
)

// An Update is one that the agent knows.
type Update struct {
	ID, KB, Title string
	Supersedes    []string
	Installed     bool
	Downloaded    bool
	Pending       bool // it is installed, and is listed as missing until the device restarts
	Fixed         bool // it cannot be uninstalled
	Restart       bool // it takes a restart
	Exclusive     bool
	Asks          bool // it may ask questions
	Licence       bool // that nobody has accepted

	DownloadFails, InstallFails wua.HRESULT
}

// A Machine is a device. Its fields may be changed by a test between calls, with Do.
type Machine struct {
	mu sync.Mutex

	Updates  []*Update
	Boot     int
	Before   bool // nothing can be installed before a restart
	Busy     bool
	Disabled bool
	Cut      bool // the agent cannot be asked
	Result   int64
	Wait     chan struct{} // installations wait until it is closed
	Waits    chan struct{} // each that waits is told here first
	Installs int           // that have begun
	Log      []string      // "install a b"
}

var _ wua.Agent = (*Machine)(nil)

// Do calls f while nothing else happens on m.
func (m *Machine) Do(f func(m *Machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// Find returns an update, or nil.
func (m *Machine) Find(id string) *Update {
	i := slices.IndexFunc(m.Updates, func(u *Update) bool { return u.ID == id })
	if i < 0 {
		return nil
	}
	return m.Updates[i]
}

func (m *Machine) asked() error {
	if m.Cut {
		return fmt.Errorf("fake: %w", patch.ErrUnreachable)
	}
	return nil
}

// Found returns the updates that a search finds. An update that something installed supersedes is not offered any more.
func (m *Machine) Found(criteria string) []*Update {
	want := strings.Contains(criteria, "IsInstalled=1")
	var found []*Update
	for _, u := range m.Updates {
		stale := !u.Installed && slices.ContainsFunc(m.Updates, func(o *Update) bool {
			return (o.Installed || !want) && slices.Contains(o.Supersedes, u.ID)
		})
		if u.Installed == want && !stale {
			found = append(found, u)
		}
	}
	return found
}

// Search implements [wua.Agent].
func (m *Machine) Search(_ context.Context, criteria string) (search.Result, error) {
	text, err := m.Answer(criteria)
	if err != nil {
		return search.Result{}, err
	}
	return search.Read(bytes.NewReader(text), source.Limits{})
}

// Answer returns what a search finds as [search.Read] reads it.
func (m *Machine) Answer(criteria string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.asked(); err != nil {
		return nil, err
	}
	code := m.Result
	if code == 0 {
		code = int64(wua.Succeeded)
	}
	updates := []any{}
	for _, u := range m.Found(criteria) {
		impact := 0
		if u.Exclusive {
			impact = 2
		}
		updates = append(updates, map[string]any{
			"Identity": map[string]any{"UpdateID": u.ID, "RevisionNumber": 200}, "Title": u.Title, "KBArticleIDs": []string{u.KB}, "Type": 1,
			"IsInstalled": u.Installed, "IsDownloaded": u.Downloaded, "IsUninstallable": !u.Fixed, "EulaAccepted": !u.Licence,
			"SupersededUpdateIDs":  u.Supersedes,
			"InstallationBehavior": map[string]any{"Impact": impact, "CanRequestUserInput": u.Asks, "RebootBehavior": 2},
		})
	}
	return json.Marshal(map[string]any{"At": time.Now().UTC().Truncate(time.Second), "Criteria": criteria, "ResultCode": code,
		"RebootRequired": m.waits(), "Updates": updates})
}

func (m *Machine) waits() bool {
	return slices.ContainsFunc(m.Updates, func(u *Update) bool { return u.Pending })
}

// each carries one thing out on every update.
func (m *Machine) each(what string, ids []string, do func(*Update) wua.HRESULT) (wua.Outcome, error) {
	if err := m.asked(); err != nil {
		return wua.Outcome{}, err
	}
	m.Log = append(m.Log, what+" "+strings.Join(ids, " "))
	o := wua.Outcome{Code: wua.Succeeded}
	bad := 0
	for _, id := range ids {
		u := m.Find(id)
		e := wua.Each{UpdateID: id, Code: wua.Succeeded, Result: 0x80240024}
		if u != nil {
			e.Result = do(u)
			e.Reboot = e.Result == 0 && u.Restart && what != "download"
		}
		if e.Result != 0 {
			e.Code = wua.Failed
			bad++
		}
		o.Reboot = o.Reboot || e.Reboot
		o.Each = append(o.Each, e)
	}
	switch {
	case bad == len(ids):
		o.Code, o.Result = wua.Failed, 0x80240022
	case bad > 0:
		o.Code = wua.SucceededWithErrors
	}
	return o, nil
}

// Download implements [wua.Agent].
func (m *Machine) Download(_ context.Context, ids []string) (wua.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.each("download", ids, func(u *Update) wua.HRESULT {
		u.Downloaded = u.Downloaded || u.DownloadFails == 0
		return u.DownloadFails
	})
}

// Install implements [wua.Agent].
func (m *Machine) Install(_ context.Context, ids []string, accept bool) (wua.Outcome, error) {
	m.mu.Lock()
	wait, waits := m.Wait, m.Waits
	m.Installs++
	m.mu.Unlock()
	if waits != nil {
		waits <- struct{}{}
	}
	if wait != nil {
		<-wait
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Busy || m.Before {
		return wua.Outcome{}, wua.HRESULT(0x80240016)
	}
	return m.each("install", ids, func(u *Update) wua.HRESULT {
		switch {
		case !u.Downloaded:
			return 0x80246007
		case u.Licence && !accept:
			return 0x80240023
		case u.Exclusive && len(ids) > 1:
			return 0x80240022
		case u.InstallFails != 0:
			return u.InstallFails
		}
		if u.Licence = false; u.Restart {
			u.Pending = true
		} else {
			u.Installed = true
		}
		return 0
	})
}

// Uninstall implements [wua.Agent].
func (m *Machine) Uninstall(_ context.Context, ids []string) (wua.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.each("uninstall", ids, func(u *Update) wua.HRESULT {
		if u.Fixed {
			return 0x80240028
		}
		u.Installed, u.Pending = false, false
		return 0
	})
}

// System implements [wua.Agent].
func (m *Machine) System(context.Context) (wua.System, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.asked(); err != nil {
		return wua.System{}, err
	}
	tri := func(yes bool) patch.Tri {
		if yes {
			return patch.Yes
		}
		return patch.No
	}
	return wua.System{BootID: fmt.Sprint(m.Boot), RebootRequired: tri(m.waits()), BeforeInstall: tri(m.Before), BusyInstalling: tri(m.Busy),
		ServiceDisabled: m.Disabled}, nil
}

// Restart implements [wua.Agent]. It is over at once.
func (m *Machine) Restart(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.asked(); err != nil {
		return err
	}
	m.restart()
	return nil
}

func (m *Machine) restart() {
	m.Log = append(m.Log, "restart")
	m.Boot++
	m.Before = false
	for _, u := range m.Updates {
		u.Installed, u.Pending = u.Installed || u.Pending, false
	}
}
