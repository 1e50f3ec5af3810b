package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
)

// errNotDebian is wrapped by the error of a machine that cannot be looked at.
var errNotDebian = errors.New("-local needs Debian, Ubuntu or another system with dpkg and apt")

// assessLocal says what the machine below root misses, as far as apt's own lists tell. It reads files, runs no command, uses no
// network and changes nothing. An empty root is the machine that the program runs on.
func assessLocal(ctx context.Context, root string, w io.Writer) error {
	if root == "" && runtime.GOOS != "linux" {
		return fmt.Errorf("quickstart: this is %s: %w", runtime.GOOS, errNotDebian)
	}
	machine := apt.Root{Dir: root}
	release, err := machine.Release()
	if err != nil {
		return fmt.Errorf("quickstart: %w: %w", errNotDebian, err)
	}
	device := inventory.Device{ID: "this-machine", Platform: patch.Platform{OS: release.ID, Version: release.Version}}
	scan, err := machine.Scan(ctx, device)
	if err != nil {
		return fmt.Errorf("quickstart: %w", err)
	}
	if slices.ContainsFunc(scan.Coverage, func(c inventory.Coverage) bool { return c.Status == inventory.Failed }) && len(scan.Software) == 0 {
		return fmt.Errorf("quickstart: %w: %s", errNotDebian, scan.Coverage[0].Detail)
	}
	device.Software, device.Coverage, device.PendingReboot, device.BootID, device.LastSeen =
		scan.Software, scan.Coverage, scan.PendingReboot, scan.BootID, scan.At

	s := newScreen(w)
	s.title("This machine: %s, %d packages", release.Ecosystem(), len(device.Software))
	catalog, complete, err := s.lists(ctx, machine, release, scan.At)
	if err != nil {
		return err
	}
	assessed := inventory.Assess(catalog, &device)
	fmt.Fprintln(w)
	s.baseline(inventory.Summarise(scan.At, inventory.BaselineConfig{Catalog: catalog}, func(yield func(inventory.Device, inventory.Assessment) bool) {
		yield(device, assessed)
	}))
	s.title("What it misses")
	switch state := assessed.State(); {
	case state == inventory.StateUnknown, state == inventory.StateClean && !complete:
		s.line("Unknown. Nothing is known to be missing, which does not mean that the machine is up to date.")
	case state == inventory.StateClean:
		s.line("Nothing that these lists know of.")
	}
	for _, u := range assessed.Unknown {
		s.indented("  ", "- %s", u)
	}
	s.missing(catalog, &assessed)
	fmt.Fprintln(w)
	s.line("apt itself may offer less: its pins were not looked at, nor which archives are still in its sources.")
	s.line("Nothing was changed.")
	return nil
}

// lists reads what apt fetched of its archives, and says how old that is. It says too whether that is all there is to know now:
// no list is missing, unreadable or out of date. Without any list the catalog is empty.
func (s *screen) lists(ctx context.Context, machine apt.Root, release apt.Release, now time.Time) (c *patch.Catalog, complete bool, err error) {
	lists, err := machine.Lists(ctx)
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	complete = err == nil
	if err != nil {
		s.indented("  ", "not all lists of apt could be used: %v", err)
	}
	if len(lists) == 0 {
		s.line("There is no list of what the archives offer. \"apt update\" fetches them; until then everything is unknown.")
		return &patch.Catalog{}, false, nil
	}
	config := debian.Config{Codename: release.Codename, Version: release.Version, Vendor: release.Vendor()}
	var newest time.Time
	old := 0
	for _, l := range lists {
		config.Indices = append(config.Indices, l.Index)
		if l.Date.After(newest) {
			newest = l.Date
		}
		if !l.ValidUntil.IsZero() && now.After(l.ValidUntil) {
			old++
		}
	}
	if newest.IsZero() {
		s.line("apt has %d lists. How old they are is unknown.", len(lists))
		complete = false
	} else {
		s.line("apt has %d lists, the newest of an archive as of %s.", len(lists), newest.Format("2 January 2006"))
	}
	if old > 0 {
		s.line("%d of them are out of date: what came since is unknown until \"apt update\" has fetched it.", old)
		complete = false
	}
	source, err := debian.New(config)
	if err != nil {
		return nil, false, fmt.Errorf("quickstart: %w", err)
	}
	catalog, refused, err := patch.Collect(ctx, patch.Query{}, source)
	for _, r := range refused {
		s.indented("  ", "left out: %v", r)
	}
	if err != nil {
		return nil, false, fmt.Errorf("quickstart: %w", err)
	}
	return catalog, complete && len(refused) == 0, nil
}

// missing lists the patches that the device misses, those that close vulnerabilities first.
func (s *screen) missing(catalog *patch.Catalog, a *inventory.Assessment) {
	type row struct {
		patch   *patch.Patch
		finding *inventory.Finding
	}
	var rows []row
	for f := range a.Standing() {
		if p, ok := catalog.Get(f.Patch); ok {
			rows = append(rows, row{p, f})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return rank(a.patch.Classification) - rank(b.patch.Classification) })
	last := -2
	for i, r := range rows {
		if k := rank(r.patch.Classification); k != last {
			last = k
			if i > 0 {
				fmt.Fprintln(s.w)
			}
			n := 0
			for _, o := range rows {
				if rank(o.patch.Classification) == k {
					n++
				}
			}
			fmt.Fprintf(s.w, "%s: %d\n", r.patch.Classification, n)
		}
		names := make([]string, 0, len(r.finding.Packages))
		for _, m := range r.finding.Packages {
			name := m.Name
			if m.Held {
				name += " (held)"
			}
			names = append(names, name)
		}
		s.indented("      ", "  %s: %s", r.patch.Title, strings.Join(names, ", "))
	}
}

// rank sorts security before everything else.
func rank(c patch.Classification) int {
	if c == patch.ClassSecurity {
		return -1
	}
	return int(c)
}
