package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/rollout"
)

const ecosystem = "Debian:12"

// realMachine returns what is installed on the one real machine whose facts are shipped with the repository.
func realMachine() ([]inventory.Software, error) {
	f, err := bookworm.FS().Open(bookworm.StatusFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return apt.ReadStatus(f, ecosystem)
}

// realIndex returns the source of the patches that the Debian archive offers for it.
func realIndex() (*debian.Source, error) {
	files := bookworm.FS()
	config := debian.Config{Codename: "bookworm", Version: "12", Advisories: source.File(files, bookworm.AdvisoryFile)}
	for _, origin := range bookworm.Origins() {
		config.Indices = append(config.Indices, debian.Index{
			Origin: origin, Security: strings.HasSuffix(origin, "-security"), Open: source.File(files, bookworm.IndexFile(origin)),
		})
	}
	return debian.New(config)
}

// A profile is one state of software that many devices of the fleet share: devices of the same profile share one list.
type profile struct{ software []inventory.Software }

// steps is how many steps lead from the real machine as it is to one that is up to date.
const steps = 8

// profiles returns the real machine at every step of being updated. The last one misses nothing.
func profiles(installed []inventory.Software, catalog *patch.Catalog) []profile {
	device := inventory.Device{
		Platform: debian12(), Software: installed,
		Coverage: []inventory.Coverage{{Manager: apt.Manager, Status: inventory.Complete}},
	}
	assessed := inventory.Assess(catalog, &device)
	type pkg struct{ name, arch string }
	fixed := make(map[pkg]version.Version)
	for f := range assessed.Standing() {
		for _, m := range f.Packages {
			fixed[pkg{m.Name, m.Arch}] = m.Fixed
		}
	}
	all := []profile{{installed}}
	for step := 1; step <= steps; step++ {
		software := slices.Clone(installed)
		for i := range software {
			s := &software[i]
			// All packages of one source are updated together.
			if v, ok := fixed[pkg{s.Name, s.Arch}]; ok && hash(cmp.Or(s.Source, s.Name))%steps < uint64(step) {
				s.Version = v
			}
		}
		all = append(all, profile{software})
	}
	return all
}

func debian12() patch.Platform { return patch.Platform{OS: "debian", Version: "12", Arch: "amd64"} }

// A trouble is what is the matter with a device.
type trouble int

const (
	noTrouble trouble = iota
	flaky             // the first attempt fails
	locked            // somebody else uses the package manager at first
	full              // the disk is full, and stays so
	away              // switched off until some day
	lost              // never heard of again
)

// A made device is one of the fleet, with what the demonstration knows and patchflow has to find out.
type made struct {
	device  inventory.Device
	trouble trouble
	back    time.Time     // when one that is away is switched on
	install time.Duration // how long an installation takes
	restart bool          // an installation leaves it owing a restart
	breaks  bool          // it is one of the tenth that the bad patch breaks
}

// hash says the same of the same text everywhere: nothing in the fleet is random.
func hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	x := h.Sum64()
	x ^= x >> 33 // FNV's low bits are weak on short texts that differ in their last character
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// Where the devices are, in parts of a hundred.
func sites() []struct {
	tenant inventory.Tenant
	zone   string
	share  uint64
} {
	return []struct {
		tenant inventory.Tenant
		zone   string
		share  uint64
	}{{"acme/berlin", "Europe/Berlin", 45}, {"acme/hamburg", "Europe/Berlin", 25}, {"acme/london", "Europe/London", 30}}
}

// makeDevice makes device n of the fleet, as it was scanned at a time.
func makeDevice(n int, all []profile, at time.Time) made {
	pick := func(what string, of uint64) uint64 { return hash(fmt.Sprintf("%s %d", what, n)) % of }
	site := sites()[0]
	for part, i := pick("site", 100), 0; ; i++ {
		if site = sites()[i]; part < site.share {
			break
		}
		part -= site.share
	}
	role := []string{"desktop", "desktop", "desktop", "desktop", "desktop", "web", "web", "app", "app", "db"}[pick("role", 10)]
	name := strings.TrimPrefix(string(site.tenant), "acme/")
	d := inventory.Device{
		Tenant: site.tenant, ID: inventory.DeviceID(fmt.Sprintf("%s-%s-%04d", name[:3], role, n)),
		Labels: map[string]string{"role": role, "site": name}, Platform: debian12(), Zone: site.zone, Exposure: inventory.Internal,
		LastSeen: at, PendingReboot: patch.No, Software: all[[]int{0, 0, 0, 2, 3, 4, 5, 6, 7, steps}[pick("profile", 10)]].software,
		Coverage: []inventory.Coverage{{Manager: apt.Manager, Status: inventory.Complete, At: at}},
	}
	if role == "web" {
		d.Exposure = inventory.Public
	}
	if pick("reboot", 25) == 0 {
		d.PendingReboot = patch.Yes
	}
	m := made{device: d, install: time.Duration(3+pick("install", 25)) * time.Minute, restart: pick("restart", 5) == 0}
	m.breaks = (n/testEvery+n%testEvery)%10 == 1
	if n%testEvery == 0 {
		m.device.Labels["ring"] = "test"
		m.device.Software = all[0].software
		// No two of them end at the same time, so that what the gate saw is the same in every run.
		m.install = time.Duration(n/testEvery%20+1) * 4 * time.Minute
		return m
	}
	switch pick("fate", 100) {
	case 0, 1:
		m.device.Labels["lifecycle"] = "retired"
	case 2:
		m.device.Software, m.device.Coverage, m.device.LastSeen = nil, nil, time.Time{}
	case 3:
		m.device.Coverage[0].Status, m.device.Coverage[0].Detail = inventory.Partial, "dpkg was at work"
	case 4, 5, 6:
		m.trouble = flaky
	case 7, 8, 9:
		m.trouble = locked
	case 10, 11:
		m.trouble, m.back = away, at.Add(time.Duration(20+pick("back", 100))*time.Hour)
	case 12:
		m.trouble = full
	case 13:
		m.trouble = lost
	}
	return m
}

// testEvery is which part of the fleet belongs to people who test.
const testEvery = 25

// A simulation is the fleet, and how its devices behave.
type simulation struct {
	*memory.Fleet
	now     func() time.Time
	devices map[inventory.DeviceID]made
	bad     rollout.ID // the rollout whose patch breaks devices
}

// newSimulation makes a fleet of n devices at the time of the clock.
func newSimulation(ctx context.Context, n int, index *debian.Source, now func() time.Time) (*simulation, error) {
	installed, err := realMachine()
	if err != nil {
		return nil, err
	}
	catalog, refused, err := patch.Collect(ctx, patch.Query{}, index)
	if err := errors.Join(append(refused, err)...); err != nil {
		return nil, err
	}
	s := &simulation{now: now, devices: make(map[inventory.DeviceID]made, n)}
	s.Fleet = &memory.Fleet{Now: now, Behave: s.behave}
	all := profiles(installed, catalog)
	for i := range n {
		m := makeDevice(i, all, now())
		s.devices[m.device.ID] = m
		s.AddDevice(m.device)
	}
	return s, nil
}

// behave says how a device does a task; see [memory.Fleet].
func (s *simulation) behave(id inventory.DeviceID, t rollout.Task) memory.Behaviour {
	d := s.devices[id]
	b := memory.Behaviour{NeedsReboot: d.restart}
	b.Offline = d.trouble == lost || d.trouble == away && s.now().Before(d.back)
	switch t.Op {
	case rollout.OpInstall:
		b.Latency = d.install
	case rollout.OpReboot:
		b.Latency = 2 * time.Minute
	case rollout.OpRollback:
		b.Latency = 6 * time.Minute
	default:
		return b
	}
	if t.Op != rollout.OpInstall {
		return b
	}
	if t.Rollout.ID == s.bad {
		b.Breaks, b.NeedsReboot = d.breaks, false
		return b
	}
	switch {
	case d.trouble == flaky && t.Attempt == 1:
		b.Fault, b.Message = patch.Transient, "the mirror did not answer"
	case d.trouble == locked && t.Handle.Seq <= 2:
		b.Fault, b.Message, b.Latency = patch.Busy, "could not get lock /var/lib/dpkg/lock-frontend", 0
	case d.trouble == full:
		b.Fault, b.Message = patch.DiskFull, "no space left on device"
	}
	return b
}

// rescan looks at every device afresh, as agents do every night. Those that cannot be reached stay as they were last seen.
func (s *simulation) rescan(ctx context.Context) error {
	for d, err := range s.Devices(ctx, inventory.Query{}) {
		if err != nil {
			return err
		}
		if _, err := s.Scan(ctx, d); err != nil && !errors.Is(err, patch.ErrUnreachable) {
			return err
		}
	}
	return nil
}

// publish publishes a patch that does not exist: a copy of the newest real one for curl, with a made-up version above it.
func (s *simulation) publish(ctx context.Context, index *debian.Source) (patch.Patch, error) {
	var p patch.Patch
	for q, err := range index.Patches(ctx, patch.Query{}) {
		if err != nil {
			return p, err
		}
		if q.Native["source"] == "curl" {
			p = q // they come by version
		}
	}
	if p.ID == "" {
		return p, fmt.Errorf("quickstart: no patch of curl in the index: %w", fs.ErrNotExist)
	}
	text := p.Packages[0].Fixed.Text + "+madeup1"
	p.ID, p.Title = patch.ID("madeup:curl="+text), "curl "+text+" (made up for this demonstration)"
	p.Classification, p.ClassificationRaw = patch.ClassBugfix, nil
	p.Advisories, p.Supersedes, p.Native, p.References, p.Size = nil, nil, nil, nil, 0
	p.Released = s.now()
	p.Packages = slices.Clone(p.Packages)
	for i := range p.Packages {
		p.Packages[i].Fixed.Text = text
		p.Packages[i].Artefacts, p.Packages[i].Origins = nil, []string{"made-up"}
	}
	s.AddPatch(p)
	return p, nil
}

// approver returns somebody who says yes half an hour after being asked, and not before.
func approver(now func() time.Time) policy.Approver {
	return policy.ApproverFunc(func(_ context.Context, r policy.Request) (policy.Decision, error) {
		if now().Before(r.At.Add(30 * time.Minute)) {
			return policy.Decision{}, nil // pending
		}
		return policy.Decision{Ruling: policy.Approved, By: "rita", Reason: "looks fine", Digest: r.Digest, At: now()}, nil
	})
}
