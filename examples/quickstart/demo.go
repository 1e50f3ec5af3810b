package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

const (
	tenant      inventory.Tenant = "acme"
	firstID     rollout.ID       = "november"
	secondID    rollout.ID       = "curl-fix"
	againID     rollout.ID       = "curl-fix-again"
	journalName                  = "quickstart.db"
	reportName                   = "quickstart.html"

	fewest, most = 100, 20000 // devices
)

// A demo is all that the demonstration consists of.
type demo struct {
	*screen
	clock    *runner.VirtualClock
	index    *debian.Source
	fleet    *simulation
	approver policy.Approver
	journal  rollout.Journal
	planOnly bool
	last     runner.Proposal
	giveUp   context.CancelCauseFunc
	watch    func(runner.Transition) // for tests
}

// run is the whole program.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	dir := flags.String("dir", ".", "the folder in which "+journalName+" and "+reportName+" are written")
	devices := flags.Int("devices", 500, fmt.Sprintf("how many devices the fleet has, %d to %d", fewest, most))
	local := flags.Bool("local", false, "only look at this machine (Debian or Ubuntu): what does it miss? Changes nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("quickstart: unexpected argument %q", flags.Arg(0))
	case *devices < fewest || *devices > most:
		return fmt.Errorf("quickstart: -devices %d: want %d to %d", *devices, fewest, most)
	case *local:
		return assessLocal(ctx, "", stdout)
	}
	path := filepath.Join(*dir, journalName)
	if err := forget(path); err != nil {
		return err
	}
	journal, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	s, err := tell(ctx, journal, *devices, stdout)
	if err := errors.Join(err, journal.Close()); err != nil {
		return err
	}
	report, err := os.Create(filepath.Join(*dir, reportName))
	if err != nil {
		return err
	}
	if err := errors.Join(s.write(report), report.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\nwrote %s (open it in a browser) and %s (both journals, in SQLite)\n",
		filepath.Join(*dir, reportName), filepath.Join(*dir, journalName))
	return err
}

// forget removes the journal of an earlier demonstration. It touches nothing that is no SQLite file.
func forget(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	_ = f.Close()
	if err != nil && n > 0 || n > 0 && !bytes.Equal(head, []byte("SQLite format 3\x00")) {
		return fmt.Errorf("quickstart: %s is in the way: it is no journal of this program", path)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// begin is a Monday morning, two days after the index was made.
func begin() time.Time { return time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC) }

// tell is the story: one rollout that goes well, one that does not, and what is left of it.
func tell(ctx context.Context, journal rollout.Journal, devices int, stdout io.Writer) (*story, error) {
	clock := runner.NewVirtualClock(begin())
	d := &demo{screen: newScreen(stdout), clock: clock, approver: approver(clock.Now), journal: journal}
	ctx, d.giveUp = context.WithCancelCause(ctx)
	defer d.giveUp(nil)
	s, err := d.tell(ctx, devices)
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	return s, err
}

func (d *demo) tell(ctx context.Context, devices int) (*story, error) {
	var err error
	if d.index, err = realIndex(); err != nil {
		return nil, err
	}
	if d.fleet, err = newSimulation(ctx, devices, d.index, d.clock.Now); err != nil {
		return nil, err
	}
	s := &story{}

	d.title("%d devices made of one real Debian 12 machine", devices)
	if s.Before, err = d.survey(ctx); err != nil {
		return nil, err
	}
	d.baseline(s.Before.Baseline)

	d.title("First rollout: what the Debian archive offers")
	first, err := rollOut(ctx, d, firstID)
	if err != nil {
		return nil, err
	}
	d.ended(first)
	if err := d.fleet.rescan(ctx); err != nil {
		return nil, err
	}
	if s.After, err = d.survey(ctx); err != nil {
		return nil, err
	}
	d.compliance(s.Before.Compliance, s.After.Compliance)

	d.sleep(begin().AddDate(0, 0, 14))
	d.title("Second rollout: a patch that breaks a tenth of the devices")
	bad, err := d.fleet.publish(ctx, d.index)
	if err != nil {
		return nil, err
	}
	d.fleet.bad = secondID
	d.line("%s is published. It is made up for this demonstration.", bad.ID)
	second, err := rollOut(ctx, d, secondID)
	if err != nil {
		return nil, err
	}
	d.ended(second)

	d.title("Planning again: the patch is in quarantine")
	d.planOnly, d.last = true, runner.Proposal{}
	switch _, err = rollOut(ctx, d, againID); {
	case errors.Is(err, rollout.ErrNothing):
		d.line("%v", err)
	case err != nil:
		return nil, err
	case offered(&d.last.Plan, bad.ID):
		return nil, fmt.Errorf("quickstart: %s is offered again although it is in quarantine", bad.ID)
	default:
		d.line("%s is in no plan any more.", bad.ID)
		d.line("The quarantine holds it for %d devices.", d.last.Summary.Tally.Rules[rollout.QuarantineRule])
	}

	for _, id := range []rollout.ID{firstID, secondID} {
		h, err := readHistory(ctx, d.journal, rollout.Key{Tenant: tenant, ID: id})
		if err != nil {
			return nil, err
		}
		s.Rollouts = append(s.Rollouts, h)
		d.timeline(h)
	}
	s.Fleet, err = d.listed(ctx)
	return s, err
}

// observe follows a rollout. One that waits for a person ends the demonstration, in which there is none.
func (d *demo) observe(_ context.Context, t runner.Transition) {
	d.show(t)
	if d.watch != nil {
		d.watch(t)
	}
	if t.Degraded != nil {
		d.giveUp(t.Degraded)
		return
	}
	for _, e := range t.Batch.Events {
		switch e := e.(type) {
		case rollout.RingHeld:
			d.giveUp(fmt.Errorf("quickstart: %s: ring %s is held (%s) and waits for a person; try another number of -devices",
				t.Key, t.Plan.Rings[e.Ring].Name, e.Code))
		case rollout.Staged:
			if e.Stage == rollout.StageHalted {
				d.giveUp(fmt.Errorf("quickstart: %s is halted (%s) and waits for a person; try another number of -devices", t.Key, e.Code))
			}
		}
	}
}

// sleep lets the virtual clock go on to t. Nothing else is under way.
func (d *demo) sleep(t time.Time) {
	c, _ := d.clock.Wake(t)
	<-c
	d.clock.Busy(-1)
}

// wants shows a proposal, and says whether it is to be carried out.
func (d *demo) wants(p runner.Proposal) bool {
	d.last = p
	d.proposal(p)
	return !d.planOnly
}

// offered says whether any device is to get a patch.
func offered(p *rollout.Plan, id patch.ID) bool {
	return slices.ContainsFunc(p.Contents, func(c rollout.Content) bool { return slices.Contains(c.IDs(), id) })
}

// A survey is where the fleet stands at one instant.
type survey struct {
	Baseline   inventory.Baseline
	Compliance compliance
}

func (d *demo) survey(ctx context.Context) (survey, error) {
	catalog, _, err := patch.Collect(ctx, patch.Query{}, d.index, d.fleet)
	if err != nil {
		return survey{}, err
	}
	rules, err := policy.Decode(bytes.NewReader([]byte(policyText)), "policy.yaml")
	if err != nil {
		return survey{}, err
	}
	var s survey
	s.Baseline, err = inventory.Survey(ctx, d.fleet, inventory.Query{}, d.clock.Now(),
		inventory.BaselineConfig{Catalog: catalog, Examples: 2})
	if err != nil {
		return survey{}, err
	}
	s.Compliance, err = complianceOf(ctx, d.fleet, catalog, rules, d.clock.Now())
	return s, err
}

// listed returns the devices of the fleet without their software.
func (d *demo) listed(ctx context.Context) (map[inventory.DeviceID]inventory.Device, error) {
	all := make(map[inventory.DeviceID]inventory.Device)
	for dev, err := range d.fleet.Devices(ctx, inventory.Query{}) {
		if err != nil {
			return nil, err
		}
		dev.Software = nil
		all[dev.ID] = dev
	}
	return all, nil
}
