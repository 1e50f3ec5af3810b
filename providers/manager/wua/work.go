package wua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	search "github.com/patchflow/patchflow/providers/source/wua"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// What is searched for. Without IsHidden in them, hidden updates are found too.
const (
	missing   = "IsInstalled=0"
	installed = "IsInstalled=1"
)

// CheckID returns an error, which wraps [patch.ErrPermanent], for a patch that is no update of Windows.
func CheckID(id patch.ID) error {
	ok := false
	if guid, found := strings.CutPrefix(string(id), "wua:"); found {
		ok = isGUID(guid)
	} else if kb, found := strings.CutPrefix(string(id), "msrc:KB"); found {
		ok = len(kb) >= 4 && len(kb) <= 12 && strings.Trim(kb, "0123456789") == ""
	}
	if !ok {
		return fmt.Errorf("wua: patch %.100q: want \"wua:\" and an UpdateID in lower case, or \"msrc:KB\" and a number: %w", string(id), patch.ErrPermanent)
	}
	return nil
}

// isGUID says whether s is a GUID in lower case, without braces.
func isGUID(s string) bool {
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if c < '0' || c > '9' && c < 'a' || c > 'f' {
				return false
			}
		}
	}
	return len(s) == 36
}

// is says whether u is what id names.
func is(u *search.Update, id patch.ID) bool {
	if kb, ok := strings.CutPrefix(string(id), "msrc:KB"); ok {
		return slices.Contains(u.KBs, kb)
	}
	return u.ID() == id
}

func (d *Device) search(ctx context.Context, criteria string) (search.Result, error) {
	r, err := d.cfg.Agent.Search(ctx, criteria)
	if err != nil {
		return r, fmt.Errorf("wua: search for %s: %w", criteria, err)
	}
	r.Criteria = criteria
	return r, nil
}

// whole returns an error for a search that does not tell everything: what it does not list may be there all the same.
func whole(r *search.Result) error {
	switch {
	case len(r.Refused) > 0:
		return fmt.Errorf("wua: search for %s: %w", r.Criteria, errors.Join(r.Refused...))
	case r.ResultCode != int64(Succeeded):
		return fmt.Errorf("wua: search for %s: the agent's result is %d", r.Criteria, r.ResultCode)
	}
	return nil
}

// A sight is what the agent says of the updates of a content.
type sight struct {
	todo    []search.Update // offered and not installed, in the order of the content
	there   []search.Update // installed
	covered []patch.ID      // neither, but something that is installed supersedes them
	gone    []patch.ID      // neither, but something that is offered supersedes them
	unknown []patch.ID      // the agent has nothing to say of them
}

// look asks the agent for the updates of c.
func (d *Device) look(ctx context.Context, c rollout.Content) (*sight, error) {
	for i := range c.Patches {
		if err := CheckID(c.Patches[i].ID); err != nil {
			return nil, err
		}
	}
	offered, err := d.search(ctx, missing)
	if err == nil {
		err = whole(&offered)
	}
	if err != nil {
		return nil, err
	}
	has, err := d.search(ctx, installed)
	if err == nil {
		err = whole(&has)
	}
	if err != nil {
		return nil, err
	}
	s := new(sight)
	for i := range c.Patches {
		id := c.Patches[i].ID
		found := false
		take := func(from []search.Update, to *[]search.Update) {
			for j := range from {
				if u := &from[j]; is(u, id) {
					found = true
					if !slices.ContainsFunc(*to, func(o search.Update) bool { return o.UpdateID == u.UpdateID }) {
						*to = append(*to, *u)
					}
				}
			}
		}
		take(offered.Updates, &s.todo)
		take(has.Updates, &s.there)
		switch {
		case found:
		case replaced(id, has.Updates):
			s.covered = append(s.covered, id)
		case replaced(id, offered.Updates):
			s.gone = append(s.gone, id)
		default:
			s.unknown = append(s.unknown, id)
		}
	}
	return s, nil
}

// replaced says whether one of all supersedes id, by what it says itself.
func replaced(id patch.ID, all []search.Update) bool {
	guid, ok := strings.CutPrefix(string(id), "wua:")
	return ok && slices.ContainsFunc(all, func(u search.Update) bool { return slices.Contains(u.SupersededIDs, guid) })
}

// todo returns the updates of c that are to be installed, or why there are none.
func (d *Device) todo(ctx context.Context, c rollout.Content) ([]search.Update, error) {
	s, err := d.look(ctx, c)
	if err != nil {
		return nil, err
	}
	none := append(slices.Clone(s.unknown), s.gone...)
	switch {
	case len(s.todo) > 0 && len(none) > 0:
		return nil, fmt.Errorf("wua: update %s is not offered to this device, and others of the task are: %w", none[0], patch.ErrPermanent)
	case len(s.todo) > 0:
		return s.todo, d.mayBegin(s.todo)
	case len(s.unknown) > 0:
		return nil, fmt.Errorf("wua: update %s is not offered to this device: %w", s.unknown[0], patch.ErrNotApplicable)
	case len(s.gone)+len(s.covered) > 0:
		return nil, fmt.Errorf("wua: update %s is superseded: %w", append(s.gone, s.covered...)[0], patch.ErrSuperseded)
	default:
		return nil, fmt.Errorf("wua: all of it is installed: %w", patch.ErrAlreadyInstalled)
	}
}

// mayBegin returns an error for updates that need somebody at the device.
func (d *Device) mayBegin(all []search.Update) error {
	for i := range all {
		u := &all[i]
		if u.Other["InstallationBehavior.CanRequestUserInput"] == "true" {
			return fmt.Errorf("wua: update %s may ask questions: %w", u.UpdateID, patch.ErrNeedsUser)
		}
		if u.Other["EulaAccepted"] == "false" && !d.cfg.AcceptLicences {
			return fmt.Errorf("wua: update %s has a licence that nobody has accepted: %w", u.UpdateID, patch.ErrNeedsUser)
		}
	}
	return nil
}

func (d *Device) download(ctx context.Context, todo []search.Update) error {
	var ids []string
	for i := range todo {
		if todo[i].Other["IsDownloaded"] != "true" {
			ids = append(ids, todo[i].UpdateID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	o, err := d.cfg.Agent.Download(ctx, ids)
	if err != nil {
		return fmt.Errorf("wua: download: %w", err)
	}
	return o.fault("wua: download", ids)
}

// ready returns an error while the device cannot be changed.
func (d *Device) ready(ctx context.Context) error {
	s, err := d.system(ctx)
	switch {
	case err != nil:
		return err
	case s.ServiceDisabled:
		return fmt.Errorf("wua: the agent's service is disabled: %w", patch.ErrPermanent)
	case s.BusyInstalling == patch.Yes:
		return fmt.Errorf("wua: another installation is under way: %w", patch.ErrBusy)
	case s.BeforeInstall == patch.Yes:
		return fmt.Errorf("wua: the device is to be restarted before anything can be installed: %w", patch.ErrBusy)
	}
	return nil
}

func over(cancelled <-chan struct{}) bool {
	select {
	case <-cancelled:
		return true
	default:
		return false
	}
}

func stopped() rollout.Report {
	return rollout.Report{Phase: rollout.PhaseStopped, Message: "cancelled before anything was changed"}
}

func (d *Device) install(ctx context.Context, t rollout.Task, cancelled <-chan struct{}) rollout.Report {
	todo, err := d.todo(ctx, t.Content)
	if err == nil {
		err = d.ready(ctx)
	}
	if err == nil && !over(cancelled) {
		err = d.download(ctx, todo)
	}
	if err != nil {
		return rollout.Failure(err)
	}
	if over(cancelled) {
		return stopped()
	}
	// An exclusive update (InstallationImpact 2) is not installed together with any other.
	const exclusive = "2"
	var together []string
	var batches [][]string
	for i := range todo {
		if todo[i].Other["InstallationBehavior.Impact"] == exclusive {
			batches = append(batches, []string{todo[i].UpdateID})
		} else {
			together = append(together, todo[i].UpdateID)
		}
	}
	if len(together) > 0 {
		batches = append([][]string{together}, batches...)
	}
	reboot := patch.No
	for _, ids := range batches {
		o, err := d.cfg.Agent.Install(ctx, ids, d.cfg.AcceptLicences)
		if unseen(err) {
			return d.outlast(ctx, t, err)
		}
		if err == nil {
			err = o.fault("wua: install", ids)
		} else {
			err = fmt.Errorf("wua: install: %w", err)
		}
		if o.Reboot || slices.ContainsFunc(o.Each, func(e Each) bool { return e.Reboot }) {
			reboot = patch.Yes
		}
		if err != nil {
			r := rollout.Failure(err)
			r.Reboot = reboot
			return r
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: reboot}
}

func (d *Device) rollback(ctx context.Context, t rollout.Task, cancelled <-chan struct{}) rollout.Report {
	s, err := d.look(ctx, t.Content)
	if err == nil {
		err = d.ready(ctx)
	}
	if err != nil {
		return rollout.Failure(err)
	}
	for i := range s.there {
		if u := &s.there[i]; u.IsUninstallable != patch.Yes {
			return rollout.Failure(fmt.Errorf("wua: update %s cannot be uninstalled: %w", u.UpdateID, patch.ErrPermanent))
		}
	}
	if over(cancelled) {
		return stopped()
	}
	reboot := patch.No
	for _, u := range slices.Backward(s.there) {
		o, err := d.cfg.Agent.Uninstall(ctx, []string{u.UpdateID})
		if unseen(err) {
			return d.outlast(ctx, t, err)
		}
		if err == nil {
			err = o.fault("wua: uninstall", []string{u.UpdateID})
		} else {
			err = fmt.Errorf("wua: uninstall: %w", err)
		}
		if o.Reboot {
			reboot = patch.Yes
		}
		if err != nil && !errors.Is(err, patch.ErrAlreadyInstalled) { // it is uninstalled already
			r := rollout.Failure(err)
			r.Reboot = reboot
			return r
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: reboot}
}

// unseen says whether err leaves open what became of a change.
func unseen(err error) bool {
	return errors.Is(err, transport.ErrUnknownOutcome) || err != nil && patch.FaultOf(err) == patch.Unreachable
}

// outlast asks until it is known what became of a task whose device has gone away.
func (d *Device) outlast(ctx context.Context, t rollout.Task, why error) rollout.Report {
	settle := d.settle(t)
	for {
		if r, _, err := settle(ctx, desk.Begun{ID: t.ID, Op: t.Op, Asked: true}); err == nil && r.Phase.Last() {
			return r
		}
		if d.pause(ctx) != nil {
			return rollout.Failure(fmt.Errorf("wua: it is not known what became of it: %w: %w", why, patch.ErrUnreachable))
		}
	}
}

// Verify implements [rollout.Verifier], by a search. An update that the agent says to be superseded by one that is installed is
// there. Absent asks that none of the content is installed.
func (d *Device) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if err := d.mine(t.Tenant, t.Device); err != nil {
		return rollout.Report{}, err
	}
	s, err := d.look(ctx, t.Content)
	if err != nil {
		return rollout.Report{}, err
	}
	var sys System
	if sys, err = d.system(ctx); err != nil {
		return rollout.Report{}, err
	}
	r := rollout.Report{Phase: rollout.PhaseSucceeded, BootID: sys.BootID, Reboot: sys.RebootRequired}
	fail := func(format string, args ...any) {
		r.Phase, r.Message = rollout.PhaseFailed, fmt.Sprintf(format, args...)
	}
	switch {
	case t.Absent && len(s.there) > 0:
		fail("update %s is installed", s.there[0].UpdateID)
	case t.Absent:
	case len(s.todo) > 0:
		fail("update %s is not installed", s.todo[0].UpdateID)
	case len(s.unknown) > 0:
		fail("the agent does not know update %s", s.unknown[0])
	case len(s.gone) > 0:
		fail("update %s is superseded by one that is not installed", s.gone[0])
	}
	return r, nil
}

// reboot restarts the device, unless it has another boot already, and waits for that. A device that cannot be reached before it was told to
// restart is waited for as one that restarts is.
func (d *Device) reboot(ctx context.Context, id rollout.TaskID, boot string) rollout.Report {
	for told := false; ; {
		s, err := d.system(ctx)
		switch {
		case err == nil && s.BootID != "" && s.BootID != boot:
			return rollout.Report{Phase: rollout.PhaseSucceeded, BootID: s.BootID, Reboot: s.RebootRequired}
		case err == nil && !told:
			if err = d.cfg.Agent.Restart(ctx); err != nil {
				err = fmt.Errorf("wua: restart: %w", err)
			}
			if told = err == nil; told {
				_, _ = d.ledger.Asked(ctx, id) // it may be going down already: then its next boot tells
			}
		}
		if err != nil && !told && patch.FaultOf(err) != patch.Unreachable {
			return rollout.Failure(err)
		}
		if err := d.pause(ctx); err != nil {
			return rollout.Failure(err)
		}
	}
}

func (d *Device) pause(ctx context.Context) error {
	timer := time.NewTimer(d.cfg.Poll)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wua: the device has not come back: %w: %w", ctx.Err(), patch.ErrUnreachable)
	}
}

// settle tells how a task stands whose program is gone.
func (d *Device) settle(t rollout.Task) desk.Settle {
	return func(ctx context.Context, b desk.Begun) (r rollout.Report, again bool, err error) {
		s, err := d.system(ctx)
		if err != nil {
			return rollout.Report{}, false, err
		}
		op := b.Op
		if op == rollout.OpUnknown {
			op = t.Op
		}
		boot := cmp.Or(b.BootID, t.BootID, s.BootID)
		switch {
		case op == rollout.OpReboot && s.BootID != "" && s.BootID == boot && !b.Asked:
			// To ask twice does no harm: a boot ends once.
			return rollout.Failure(errors.New("wua: nobody has asked the device to restart")), true, nil
		case op == rollout.OpReboot && (s.BootID == "" || s.BootID == boot), op != rollout.OpReboot && s.BusyInstalling == patch.Yes:
			return rollout.Report{Phase: rollout.PhaseRunning}, false, nil
		case op == rollout.OpReboot:
			return rollout.Report{Phase: rollout.PhaseSucceeded, BootID: s.BootID, Reboot: s.RebootRequired}, false, nil
		case op == rollout.OpDownload:
			return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the download was broken off"}, false, nil
		}
		now, err := d.look(ctx, t.Content)
		if err != nil {
			return rollout.Report{}, false, err
		}
		left := len(now.todo) + len(now.unknown) + len(now.gone)
		if op == rollout.OpRollback {
			left = len(now.there)
		}
		switch {
		case left == 0:
			return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: s.RebootRequired, BootID: s.BootID}, false, nil
		case s.RebootRequired == patch.Yes: // what waits for a restart is listed as it was before
			return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.Yes, BootID: s.BootID, Message: "broken off; a restart is due"}, false, nil
		}
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: fmt.Sprintf("broken off: %d updates are as they were", left)}, false, nil
	}
}
