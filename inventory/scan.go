package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
)

// ErrOtherDevice is wrapped by the error of merging a scan into a device that it was not taken of.
var ErrOtherDevice = errors.New("scan of another device")

// ErrStaleScan is wrapped by the error of merging a scan that is older than what is known already.
var ErrStaleScan = errors.New("scan is older than what is known")

// Merge returns d with what s found. d is not changed; the result shares its labels, and nothing with s.
//
// Software is merged manager by manager, as the scan covered it:
//
//   - Complete: what the scan lists replaces what was known; what it does not list is gone.
//   - Partial: what the scan lists is added, or replaces what was known of the same package (manager, ecosystem, name and
//     architecture, all versions of it together); nothing is removed.
//   - Failed, unknown: the software stays as it was known; the coverage says that the last look was in vain.
//   - Skipped, or not mentioned: software and coverage stay as they were known. A manager that is mentioned for the first
//     time is listed as skipped.
//
// The missing patches are the word of the managers that judge for themselves ([Coverage] has Judges; if none of d or s
// has it, every manager counts as one, so say it where you know it). A list of missing patches names no manager, so it is
// replaced only if every judging manager of d and s was covered completely by s. Otherwise what s lists is added and
// nothing is removed.
//
// LastSeen moves forward only. The boot ID, the pending reboot and the other updaters are taken over unless something was
// looked at later than s.At; a scan that does not know about a reboot leaves what was known, unless the boot ID changed: then
// it is unknown. PendingSince is the time of the first scan that saw the device wait for this restart.
//
// The result's software is sorted by manager, ecosystem, name, architecture and version, its missing patches by ID, its
// coverage by manager. Merging the same scan again changes nothing.
//
// A scan of another device or tenant is an error that wraps [ErrOtherDevice]. A scan is refused with an error that wraps
// [ErrStaleScan] if it looked at a manager earlier than the known coverage of it did. A scan that contradicts itself is an
// error that lists all contradictions: no time, a manager covered twice, or software of a manager that it did not cover.
// With an error, d is returned as it was.
func (d Device) Merge(s Scan) (Device, error) {
	if s.Tenant != d.Tenant || s.Device != d.ID {
		return d, fmt.Errorf("inventory: device %s: a scan of %s: %w", refOf(d.Tenant, d.ID), refOf(s.Tenant, s.Device), ErrOtherDevice)
	}
	fresh, err := s.coverage()
	if err != nil {
		return d, err
	}
	known := make(map[string]Coverage, len(d.Coverage))
	latest := time.Time{}
	for _, c := range d.Coverage {
		known[c.Manager] = c
		if c.At.After(latest) {
			latest = c.At
		}
	}
	for _, manager := range slices.Sorted(maps.Keys(fresh)) {
		c, old := fresh[manager], known[manager]
		if c.Status != Skipped && c.At.Before(old.At) {
			return d, fmt.Errorf("inventory: device %s: %s was looked at at %s, the scan is of %s: %w", refOf(d.Tenant, d.ID),
				manager, old.At.UTC().Format(time.RFC3339), c.At.UTC().Format(time.RFC3339), ErrStaleScan)
		}
	}

	result := d
	result.Software = mergeSoftware(d.Software, s.Software, fresh)
	result.Missing = mergeMissing(d.Missing, s.Missing, known, fresh)
	for manager, c := range fresh {
		if old, found := known[manager]; found && c.Status == Skipped {
			c = old
		} else if found {
			c.Judges = c.Judges || old.Judges
		}
		known[manager] = c
	}
	result.Coverage = nil
	for _, manager := range slices.Sorted(maps.Keys(known)) {
		result.Coverage = append(result.Coverage, known[manager])
	}
	if s.At.After(result.LastSeen) {
		result.LastSeen = s.At
	}
	if !s.At.Before(latest) {
		rebooted := s.BootID != "" && s.BootID != d.BootID
		if s.BootID != "" {
			result.BootID = s.BootID
		}
		if s.PendingReboot != patch.Unknown || rebooted {
			result.PendingReboot = s.PendingReboot
		}
		switch {
		case result.PendingReboot != patch.Yes:
			result.PendingSince = time.Time{}
		case rebooted || d.PendingReboot != patch.Yes || d.PendingSince.IsZero():
			result.PendingSince = s.At
		}
		if s.Updaters != nil {
			result.Updaters = slices.Clone(s.Updaters)
			slices.Sort(result.Updaters)
			result.Updaters = slices.Compact(result.Updaters)
		}
	}
	return result, nil
}

// coverage returns the coverage of s by manager, with a time on each, or what contradicts itself in s.
func (s *Scan) coverage() (map[string]Coverage, error) {
	var wrong *multierror.Error
	fail := func(format string, args ...any) {
		wrong = multierror.Append(wrong, fmt.Errorf("inventory: scan of %s: %s", refOf(s.Tenant, s.Device), fmt.Sprintf(format, args...)))
	}
	if s.At.IsZero() {
		fail("it has no time")
	}
	fresh := make(map[string]Coverage, len(s.Coverage))
	for _, c := range s.Coverage {
		if _, found := fresh[c.Manager]; found {
			fail("manager %s is covered twice", c.Manager)
		}
		if c.At.IsZero() {
			c.At = s.At
		}
		fresh[c.Manager] = c
	}
	told := make(map[string]bool)
	for i := range s.Software {
		manager := s.Software[i].Manager
		if status := fresh[manager].Status; status != Complete && status != Partial && !told[manager] {
			told[manager] = true
			fail("it lists %s of %s, but its coverage of that manager is %s", s.Software[i].Name, manager, status)
		}
	}
	return fresh, wrong.ErrorOrNil()
}

func mergeSoftware(known, found []Software, fresh map[string]Coverage) []Software {
	found = slices.Clone(found)
	slices.SortFunc(found, compareSoftware)
	found = slices.Compact(found)
	result := make([]Software, 0, max(len(known), len(found)))
	for i := range known {
		switch fresh[known[i].Manager].Status {
		case Complete:
			continue
		case Partial:
			if _, listed := slices.BinarySearchFunc(found, known[i], comparePackage); listed {
				continue
			}
		}
		result = append(result, known[i])
	}
	result = append(result, found...)
	slices.SortFunc(result, compareSoftware)
	if result = slices.Compact(result); len(result) == 0 {
		return nil
	}
	return result
}

func mergeMissing(known, found []patch.ID, before, fresh map[string]Coverage) []patch.ID {
	named := false // some manager is known to judge
	for _, c := range before {
		named = named || c.Judges
	}
	for _, c := range fresh {
		named = named || c.Judges
	}
	judged, complete := false, true
	judge := func(manager string) {
		if !named || before[manager].Judges || fresh[manager].Judges {
			judged = true
			complete = complete && fresh[manager].Status == Complete
		}
	}
	for manager := range before {
		judge(manager)
	}
	for manager := range fresh {
		judge(manager)
	}
	result := slices.Clone(found)
	if !judged || !complete {
		result = append(result, known...)
	}
	slices.Sort(result)
	if result = slices.Compact(result); len(result) == 0 {
		return nil
	}
	return result
}

// comparePackage orders installed packages whatever their versions.
func comparePackage(a, b Software) int { return comparePackages(&a, &b) }

func comparePackages(a, b *Software) int {
	// The name first would be as good an order, but this one keeps the packages of a manager together.
	if n := strings.Compare(a.Manager, b.Manager); n != 0 {
		return n
	}
	if n := strings.Compare(a.Ecosystem, b.Ecosystem); n != 0 {
		return n
	}
	if n := strings.Compare(a.Name, b.Name); n != 0 {
		return n
	}
	return strings.Compare(a.Arch, b.Arch)
}

// compareSoftware orders all of Software. The order of versions is that of their text: it serves only to be definite.
func compareSoftware(a, b Software) int {
	if n := comparePackages(&a, &b); n != 0 {
		return n
	}
	if n := strings.Compare(string(a.Version.Scheme), string(b.Version.Scheme)); n != 0 {
		return n
	}
	if n := strings.Compare(a.Version.Text, b.Version.Text); n != 0 {
		return n
	}
	return cmp.Or(
		strings.Compare(a.Source, b.Source),
		strings.Compare(string(a.SourceVersion.Scheme), string(b.SourceVersion.Scheme)),
		strings.Compare(a.SourceVersion.Text, b.SourceVersion.Text),
		strings.Compare(a.Module, b.Module),
		toInt(a.Held)-toInt(b.Held),
		toInt(a.Running)-toInt(b.Running),
	)
}

// A Ref names one device of one tenant.
type Ref struct {
	Tenant Tenant   `json:"tenant"`
	Device DeviceID `json:"device"`
}

// String returns the tenant, a slash and the device, or the device alone for the empty tenant.
func (r Ref) String() string {
	if r.Tenant == "" {
		return string(r.Device)
	}
	return string(r.Tenant) + "/" + string(r.Device)
}

// Compare orders references by tenant, then by device.
func (r Ref) Compare(o Ref) int {
	if n := strings.Compare(string(r.Tenant), string(o.Tenant)); n != 0 {
		return n
	}
	return strings.Compare(string(r.Device), string(o.Device))
}

func refOf(t Tenant, d DeviceID) Ref { return Ref{Tenant: t, Device: d} }
