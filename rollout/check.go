package rollout

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// CheckScan says what a fresh scan of a device proves about a verification task, as a [Verifier] would: it succeeded if
// every package of the content is there in its fixed version or a newer one (or, with t.Absent, in none so new). A scan
// that is older than the task, is of another device, or did not cover everything proves nothing, and neither does content
// without packages.
func CheckScan(t Task, s inventory.Scan) Report {
	unknown := func(format string, args ...any) Report {
		return Report{Phase: PhaseFailed, Fault: patch.Transient, Message: fmt.Sprintf(format, args...), Reboot: s.PendingReboot, BootID: s.BootID}
	}
	if s.Device != t.Device || s.Tenant != t.Tenant {
		return unknown("the scan is of device %s", inventory.Ref{Tenant: s.Tenant, Device: s.Device})
	}
	if s.At.Before(t.Issued) {
		return unknown("the scan of %s is older than the task", s.At.UTC().Format("2006-01-02 15:04:05"))
	}
	if len(s.Coverage) == 0 {
		return unknown("the scan covered nothing")
	}
	for _, c := range s.Coverage {
		if c.Status != inventory.Complete {
			return unknown("%s was not covered completely: %s", c.Manager, c.Status)
		}
	}
	checked := 0
	for i := range t.Content.Patches {
		for j := range t.Content.Patches[i].Packages {
			want := &t.Content.Patches[i].Packages[j]
			at, err := newest(s.Software, want)
			if err != nil {
				return unknown("%v", err)
			}
			checked++
			there := !at.IsZero()
			if there {
				c, err := version.Compare(at, want.Fixed)
				if err != nil {
					return unknown("%v", err)
				}
				there = c >= 0
			}
			if there == t.Absent {
				found := "not installed"
				if !at.IsZero() {
					found = at.Text
				}
				return Report{Phase: PhaseFailed, Reboot: s.PendingReboot, BootID: s.BootID,
					Message: fmt.Sprintf("%s is %s, %s was to be %s", want.Name, found, want.Fixed, presence(t.Absent))}
			}
		}
	}
	if checked == 0 {
		return unknown("the content names no packages that a scan could show")
	}
	return Report{Phase: PhaseSucceeded, Reboot: s.PendingReboot, BootID: s.BootID}
}

// CheckVersion says what the software of a device shows of a probe for a version, as a [Prober] would: the application is up if any of its
// versions is the probe's, or newer. Versions that cannot be compared prove nothing.
func CheckVersion(p policy.Probe, installed []inventory.Software) ProbeResult {
	r := ProbeResult{Name: p.Name, Up: patch.No, Message: p.Of + " is not installed"}
	for i := range installed {
		s := &installed[i]
		if s.Name != p.Of {
			continue
		}
		order, err := version.Compare(s.Version, version.Version{Scheme: s.Version.Scheme, Text: p.Version})
		switch {
		case err != nil:
			return ProbeResult{Name: p.Name, Message: fmt.Sprintf("%s: %v", p.Of, err)}
		case order >= 0:
			return ProbeResult{Name: p.Name, Up: patch.Yes, Message: p.Of + " is " + s.Version.Text}
		}
		r.Message = fmt.Sprintf("%s is %s, older than %s", p.Of, s.Version.Text, p.Version)
	}
	return r
}

func presence(absent bool) string {
	if absent {
		return "gone"
	}
	return "there"
}

// newest returns the newest installed version of a package, zero if there is none.
func newest(installed []inventory.Software, want *patch.Package) (version.Version, error) {
	var found version.Version
	for i := range installed {
		s := &installed[i]
		if s.Ecosystem != want.Ecosystem || s.Name != want.Name ||
			want.Arch != "" && want.Arch != "all" && s.Arch != "all" && s.Arch != "" && s.Arch != want.Arch {
			continue
		}
		if found.IsZero() {
			found = s.Version
			continue
		}
		c, err := version.Compare(s.Version, found)
		if err != nil {
			return version.Version{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		if c > 0 {
			found = s.Version
		}
	}
	return found, nil
}
