package wua

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	search "github.com/patchflow/patchflow/providers/source/wua"
)

// An Agent is the Windows Update Agent of one device: package com reaches that of the device it runs on, and package powershell that of
// one on which commands can be run. Its methods mirror the
// agent's own interfaces (Microsoft's documentation, "Windows Update Agent API"), and each may take an hour.
//
// An error means that the agent could not be asked, or that nobody knows what it did; one that is a [HRESULT] is classified by
// that, any other by [patch.FaultOf]. If Install or Uninstall fail as [patch.Unreachable], the device is asked how it stands until it
// answers, and while somebody installs there: what was begun may go on.
type Agent interface {
	// Search asks for the updates that meet the criteria (IUpdateSearcher.Search).
	Search(ctx context.Context, criteria string) (search.Result, error)

	// Download gets the files of updates, named by UpdateID, which a search has found (IUpdateDownloader.Download).
	Download(ctx context.Context, updates []string) (Outcome, error)

	// Install installs updates that are downloaded (IUpdateInstaller.Install). Licences are accepted where accept says so.
	Install(ctx context.Context, updates []string, accept bool) (Outcome, error)

	// Uninstall removes updates (IUpdateInstaller.Uninstall).
	Uninstall(ctx context.Context, updates []string) (Outcome, error)

	// System tells how the device stands.
	System(ctx context.Context) (System, error)

	// Restart begins to restart the device and returns.
	Restart(ctx context.Context) error
}

// A System says how a device stands.
type System struct {
	BootID          string    // another after each restart
	RebootRequired  patch.Tri // ISystemInformation.RebootRequired: an update waits for a restart
	BeforeInstall   patch.Tri // IUpdateInstaller.RebootRequiredBeforeInstallation: nothing can be installed before it
	BusyInstalling  patch.Tri // IUpdateInstaller.IsBusy: somebody else installs
	ServiceDisabled bool      // the agent's service cannot be started
}

// An Outcome is how a download, an installation or a removal ended (IInstallationResult and its kin).
type Outcome struct {
	Code   ResultCode
	Result HRESULT
	Reboot bool // what was done takes effect with a restart
	Each   []Each
}

// Each is the part of an outcome that is about one update.
type Each struct {
	UpdateID string
	Code     ResultCode
	Result   HRESULT
	Reboot   bool
}

// ResultCode is Microsoft's OperationResultCode.
type ResultCode int

// The values of OperationResultCode.
const (
	NotStarted ResultCode = iota
	InProgress
	Succeeded
	SucceededWithErrors
	Failed
	Aborted
)

// fault returns the error of an outcome that is not wholly good, for the updates that were asked for. An update that the outcome
// does not name has not succeeded.
func (o *Outcome) fault(what string, asked []string) error {
	said := make(map[string]*Each, len(o.Each))
	for i := range o.Each {
		said[o.Each[i].UpdateID] = &o.Each[i]
	}
	for _, id := range asked {
		e := said[id]
		switch {
		case e == nil && o.Result != 0:
			return fmt.Errorf("%s: %w", what, o.Result)
		case e == nil:
			return fmt.Errorf("%s: update %s: the agent does not say what became of it", what, id)
		case e.Code == Succeeded:
		case e.Code == Aborted:
			return fmt.Errorf("%s: update %s: aborted: %w", what, id, orBusy(e.Result))
		case e.Result != 0:
			return fmt.Errorf("%s: update %s: %w", what, id, e.Result)
		case o.Result != 0:
			return fmt.Errorf("%s: update %s: %w", what, id, o.Result)
		default:
			return fmt.Errorf("%s: update %s: the agent's result is %d", what, id, e.Code)
		}
	}
	return nil
}

// orBusy is why something was aborted, if nothing else is known of it: somebody else wished it.
func orBusy(r HRESULT) error {
	if r == 0 {
		return patch.ErrBusy
	}
	return r
}
