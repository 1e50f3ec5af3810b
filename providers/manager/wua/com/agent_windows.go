package com

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/windows/registry"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/source"
	search "github.com/patchflow/patchflow/providers/source/wua"
)

// An Agent is the Windows Update Agent of this device. The zero Agent is ready for use, and safe for concurrent use: each call has
// a thread and a session of its own. Installing, removing and restarting need the rights of an administrator.
type Agent struct {
	// Name is by which the agent's own log calls this program; "" means "patchflow".
	Name string

	// RestartWith is the command that restarts the device; nil means shutdown.exe, at once, as planned for an update.
	RestartWith []string
}

var _ wua.Agent = (*Agent)(nil)

// Search implements [wua.Agent]. When ctx ends it returns; the agent goes on searching.
func (a *Agent) Search(ctx context.Context, criteria string) (search.Result, error) {
	var text []byte
	err := a.apart(ctx, func(s *session) (err error) {
		found, err := s.search(criteria)
		if err != nil {
			return err
		}
		text, err = s.result(found, criteria)
		return err
	})
	if err != nil {
		return search.Result{}, err
	}
	return search.Read(bytes.NewReader(text), source.Limits{})
}

// Download implements [wua.Agent]. When ctx ends it returns; the agent goes on downloading.
func (a *Agent) Download(ctx context.Context, updates []string) (o wua.Outcome, err error) {
	err = a.apart(ctx, func(s *session) error {
		o, err = s.carry("CreateUpdateDownloader", "Download", updates, nil)
		return err
	})
	return o, err
}

// Install implements [wua.Agent]. It waits for the end whatever becomes of ctx: an installation cannot be broken off.
func (a *Agent) Install(ctx context.Context, updates []string, accept bool) (wua.Outcome, error) {
	return a.change(ctx, "Install", updates, func(u object) error {
		if !accept {
			return nil
		}
		if accepted, err := u.get("EulaAccepted"); err != nil || accepted == true {
			return err
		}
		_, err := u.call("AcceptEula")
		return err
	})
}

// Uninstall implements [wua.Agent]. It waits for the end as Install does.
func (a *Agent) Uninstall(ctx context.Context, updates []string) (wua.Outcome, error) {
	return a.change(ctx, "Uninstall", updates, nil)
}

func (a *Agent) change(ctx context.Context, method string, updates []string, first func(object) error) (o wua.Outcome, err error) {
	if err := ctx.Err(); err != nil {
		return o, fmt.Errorf("com: %s: %w", method, err)
	}
	err = a.apart(context.WithoutCancel(ctx), func(s *session) error {
		o, err = s.carry("CreateUpdateInstaller", method, updates, first)
		return err
	})
	return o, err
}

// The registry tells which boot this is, in a number that the system counts up, and whether the agent's service may run.
const (
	bootKey    = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`
	serviceKey = `SYSTEM\CurrentControlSet\Services\wuauserv`
	disabled   = 4 // of the value Start
)

func number(key, name string) (uint64, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE)
	if err != nil {
		return 0, fmt.Errorf("com: registry: %s: %w", key, err)
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue(name)
	if err != nil {
		return 0, fmt.Errorf("com: registry: %s: %s: %w", key, name, err)
	}
	return n, nil
}

// System implements [wua.Agent]. The boot is what the registry counts as BootId; a device that does not count has none, and its
// restarts cannot be proved. What the agent does not say is unknown.
func (a *Agent) System(ctx context.Context) (sys wua.System, err error) {
	boot, err := number(bootKey, "BootId")
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return sys, err
	}
	if err == nil {
		sys.BootID = strconv.FormatUint(boot, 10)
	}
	if start, err := number(serviceKey, "Start"); err == nil {
		sys.ServiceDisabled = start == disabled
	}
	err = a.apart(ctx, func(s *session) error {
		info, err := s.create("Microsoft.Update.SystemInfo")
		if err != nil {
			return err
		}
		sys.RebootRequired = info.tri("RebootRequired")
		updates, err := s.open()
		if err != nil {
			return err
		}
		installer, err := updates.child("CreateUpdateInstaller")
		if err != nil {
			return err
		}
		sys.BeforeInstall, sys.BusyInstalling = installer.tri("RebootRequiredBeforeInstallation"), installer.tri("IsBusy")
		return nil
	})
	return sys, err
}

// Restart implements [wua.Agent].
func (a *Agent) Restart(ctx context.Context) error {
	argv := a.RestartWith
	if argv == nil {
		argv = []string{"shutdown.exe", "/r", "/t", "0", "/d", "p:2:17"}
	}
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("com: restart: %w: %.300s", err, bytes.TrimSpace(out))
	}
	return nil
}

// tri reads a property that is true or false.
func (o object) tri(name string) patch.Tri {
	switch v, _ := o.get(name); v {
	case true:
		return patch.Yes
	case false:
		return patch.No
	}
	return patch.Unknown
}

// search returns what the agent finds (ISearchResult).
func (s *session) search(criteria string) (object, error) {
	updates, err := s.open()
	if err != nil {
		return object{}, err
	}
	searcher, err := updates.child("CreateUpdateSearcher")
	if err != nil {
		return object{}, err
	}
	return searcher.child("Search", criteria)
}

// carry does one thing with updates, in their order.
func (s *session) carry(creator, method string, ids []string, first func(object) error) (wua.Outcome, error) {
	var none wua.Outcome
	var criteria []string
	for _, id := range ids {
		if err := wua.CheckID(patch.ID("wua:" + id)); err != nil { // it goes into a query
			return none, err
		}
		criteria = append(criteria, "UpdateID='"+id+"'")
	}
	result, err := s.search(strings.Join(criteria, " or "))
	if err != nil {
		return none, err
	}
	found, err := result.items("Updates")
	if err != nil {
		return none, err
	}
	byID := make(map[string]object, len(found))
	for _, u := range found {
		identity, err := u.child("Identity")
		if err != nil {
			return none, err
		}
		id, err := identity.get("UpdateID")
		if err != nil {
			return none, err
		}
		byID[strings.ToLower(fmt.Sprint(id))] = u
	}
	list, err := s.create("Microsoft.Update.UpdateColl")
	if err != nil {
		return none, err
	}
	for _, id := range ids {
		u, ok := byID[id]
		if !ok {
			return none, fmt.Errorf("com: %s: the agent does not know update %s any more: %w", method, id, patch.ErrNotApplicable)
		}
		if first != nil {
			if err := first(u); err != nil {
				return none, err
			}
		}
		if _, err := list.call("Add", u.IDispatch); err != nil {
			return none, err
		}
	}
	updates, err := s.open()
	if err != nil {
		return none, err
	}
	worker, err := updates.child(creator)
	if err != nil {
		return none, err
	}
	if err := worker.put("Updates", list.IDispatch); err != nil {
		return none, err
	}
	if creator == "CreateUpdateInstaller" {
		_ = worker.put("ForceQuiet", true) // IUpdateInstaller2; an older one asks nothing either unless it is told to
	}
	done, err := worker.child(method)
	if err != nil {
		return none, err
	}
	return outcome(done, ids)
}

// outcome reads IDownloadResult or IInstallationResult, whose parts are in the order of the updates.
func outcome(done object, ids []string) (wua.Outcome, error) {
	var o wua.Outcome
	code, result, reboot, err := done.ended()
	if err != nil {
		return o, err
	}
	o.Code, o.Result, o.Reboot = code, result, reboot
	for i, id := range ids {
		part, err := done.child("GetUpdateResult", i)
		if err != nil {
			return o, err
		}
		e := wua.Each{UpdateID: id}
		if e.Code, e.Result, e.Reboot, err = part.ended(); err != nil {
			return o, err
		}
		o.Each = append(o.Each, e)
	}
	return o, nil
}

// ended reads what a result and its parts have in common. A download has nothing to say of restarts.
func (o object) ended() (code wua.ResultCode, result wua.HRESULT, reboot bool, err error) {
	c, err := o.integer("ResultCode")
	if err != nil {
		return 0, 0, false, err
	}
	h, err := o.integer("HResult")
	if err != nil {
		return 0, 0, false, err
	}
	return wua.ResultCode(c), wua.HRESULT(uint32(h)), o.tri("RebootRequired") == patch.Yes, nil
}

// result writes down what a search has found as package source/wua reads it.
func (s *session) result(found object, criteria string) ([]byte, error) {
	code, err := found.integer("ResultCode")
	if err != nil {
		return nil, err
	}
	all, err := found.items("Updates")
	if err != nil {
		return nil, err
	}
	updates := make([]map[string]any, len(all))
	for i, u := range all {
		updates[i] = properties(u)
	}
	r := map[string]any{"At": time.Now().UTC().Format(time.RFC3339), "Criteria": criteria, "ResultCode": code, "Updates": updates}
	if info, err := s.create("Microsoft.Update.SystemInfo"); err == nil {
		if pending, err := info.get("RebootRequired"); err == nil {
			r["RebootRequired"] = pending
		}
	}
	return json.Marshal(r)
}

// properties reads an update. What cannot be read is told under Errors.
func properties(u object) map[string]any {
	all := make(map[string]any)
	wrong := make(map[string]string)
	note := func(name string, err error) {
		if err == nil {
			return
		}
		var h wua.HRESULT
		if wrong[name] = err.Error(); errors.As(err, &h) {
			wrong[name] = fmt.Sprintf("0x%08X", uint32(h))
		}
	}
	simple := func(to map[string]any, from object, names ...string) {
		for _, name := range names {
			v, err := from.get(name)
			if t, ok := v.(time.Time); ok {
				v = t.UTC().Format(time.RFC3339)
			}
			if note(name, err); err == nil && v != nil {
				to[name] = v
			}
		}
	}
	simple(all, u, "Title", "MsrcSeverity", "Type", "MaxDownloadSize", "MinDownloadSize", "LastDeploymentChangeTime", "IsInstalled", "IsDownloaded",
		"IsHidden", "IsMandatory", "IsUninstallable", "RebootRequired", "BrowseOnly", "EulaAccepted")
	for _, name := range []string{"KBArticleIDs", "CveIDs", "SecurityBulletinIDs", "MoreInfoUrls", "SupersededUpdateIDs"} {
		texts, err := u.texts(name)
		if note(name, err); err == nil {
			all[name] = texts
		}
	}
	for name, of := range map[string][]string{
		"Identity":             {"UpdateID", "RevisionNumber"},
		"InstallationBehavior": {"CanRequestUserInput", "Impact", "RebootBehavior", "RequiresNetworkConnectivity"},
	} {
		part, err := u.child(name)
		if note(name, err); err == nil {
			one := make(map[string]any)
			simple(one, part, of...)
			all[name] = one
		}
	}
	categories, err := u.items("Categories")
	if note("Categories", err); err == nil {
		list := make([]map[string]any, len(categories))
		for i, c := range categories {
			list[i] = make(map[string]any)
			simple(list[i], c, "CategoryID", "Name", "Type")
		}
		all["Categories"] = list
	}
	if len(wrong) > 0 {
		all["Errors"] = wrong
	}
	return all
}
