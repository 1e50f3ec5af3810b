package providertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// The harnesses of the memory providers. A bad provider gets hold of them in between, through the hooks.

func TestMemorySource(t *testing.T)    { Source(t, sourceHarness(nil)) }
func TestMemoryInventory(t *testing.T) { Inventory(t, inventoryHarness(nil)) }
func TestMemoryApprover(t *testing.T)  { Approver(t, approverHarness(nil)) }
func TestMemoryDeployer(t *testing.T)  { Deployer(t, deployerHarness(nil)) }
func TestKnownEnricher(t *testing.T)   { Enricher(t, enricherHarness(nil)) }

func date(day int) time.Time { return time.Date(2026, 1, day, 9, 0, 0, 0, time.UTC) }

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

func openssl(fixed string) []patch.Package {
	return []patch.Package{{Ecosystem: "Debian:12", Name: "openssl", Fixed: deb(fixed)}}
}

func installed(name, at string) inventory.Software {
	return inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: name, Version: deb(at)}
}

func patchList() []patch.Patch {
	bookworm := patch.Platform{OS: "debian", Version: "12"}
	return []patch.Patch{
		{ID: "test:one", Platform: bookworm, Released: date(1), Packages: openssl("2"), Severity: patch.SeverityModerate,
			Advisories: []patch.Advisory{{ID: "CVE-2026-0001", CVEs: []string{"CVE-2026-0001"}}}},
		{ID: "test:two", Platform: bookworm, Released: date(1), Modified: date(3), Packages: openssl("3"), Severity: patch.SeverityCritical},
		{ID: "test:three", Released: date(2)},
		{ID: "test:four", Platform: patch.Platform{OS: "windows"}, Released: date(4)},
	}
}

// hooks for everything that lists.
type listHooks[T any] struct {
	wrap  func(ctx context.Context, list func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error]
	query func(q, v any) bool // whether v is to be left out of an answer to q
}

func (h *listHooks[T]) list(ctx context.Context, q any, list func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	if h == nil || h.wrap == nil && h.query == nil {
		return list(ctx)
	}
	if h.wrap != nil {
		return h.wrap(ctx, list)
	}
	return func(yield func(T, error) bool) {
		for v, err := range list(ctx) {
			if (err != nil || !h.query(q, v)) && !yield(v, err) {
				return
			}
		}
	}
}

type hookedSource struct {
	patch.Source
	hooks *listHooks[patch.Patch]
}

func (s hookedSource) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return s.hooks.list(ctx, q, func(ctx context.Context) iter.Seq2[patch.Patch, error] { return s.Source.Patches(ctx, q) })
}

// feed is a source with an error after its first patch.
type feed struct {
	patch.Source
	err error
}

func (s feed) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		n := 0
		for p, err := range s.Source.Patches(ctx, q) {
			if n++; n == 2 && (!yield(patch.Patch{}, s.err) || !errors.Is(s.err, patch.ErrRecord)) {
				return
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func sourceHarness(bad func() *listHooks[patch.Patch]) SourceHarness {
	source := func(err error) patch.Source {
		fleet := new(memory.Fleet)
		fleet.AddPatch(patchList()...)
		s := hookedSource{Source: fleet}
		if err != nil {
			s.Source = feed{fleet, err}
		}
		if bad != nil {
			s.hooks = bad()
		}
		return s
	}
	return SourceHarness{
		New:  func(*testing.T) patch.Source { return source(nil) },
		Want: []patch.ID{"test:one", "test:two"},
		Damaged: func(*testing.T) (patch.Source, string) {
			return source(fmt.Errorf("test: line 2: no version: %w", patch.ErrRecord)), "line 2"
		},
		Broken: func(*testing.T) patch.Source { return source(errors.New("test: the server is down")) },
	}
}

// known is an enricher that knows one exploited vulnerability.
type known struct {
	after func(c *patch.Catalog, changed []patch.Patch) ([]patch.Patch, error)
}

func (k known) Enrich(_ context.Context, c *patch.Catalog) ([]patch.Patch, error) {
	var changed []patch.Patch
	for p := range c.All() {
		if !slices.Contains(p.CVEs(), "CVE-2026-0001") || p.Exploited() == patch.Yes {
			continue
		}
		n := *p
		n.Severity = max(n.Severity, patch.SeverityImportant)
		n.Advisories = slices.Clone(n.Advisories)
		n.Advisories[0].Exploited = patch.Yes
		changed = append(changed, n)
	}
	if k.after != nil {
		return k.after(c, changed)
	}
	return changed, nil
}

func enricherHarness(bad func() known) EnricherHarness {
	return EnricherHarness{
		New: func(*testing.T) patch.Enricher {
			if bad != nil {
				return bad()
			}
			return known{}
		},
		Patches: patchList(),
	}
}

func deviceList() []inventory.Device {
	software := []inventory.Software{installed("openssl", "1"), installed("curl", "7")}
	return []inventory.Device{
		{Tenant: "acme", ID: "ada", Labels: map[string]string{"role": "web"}, Software: software},
		{Tenant: "acme/berlin", ID: "bob", Labels: map[string]string{"role": "db server"}, Software: software,
			Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}, {Manager: "flatpak", Status: inventory.Failed}}},
		{Tenant: "acme/berlin", ID: "cyd", Software: software},
	}
}

type inventoryHooks struct {
	listHooks[inventory.Device]
	scan func(d inventory.Device, s inventory.Scan, err error) (inventory.Scan, error)
}

type hookedInventory struct {
	inventory.Source
	fleet   *memory.Fleet
	offline *atomic.Bool
	hooks   *inventoryHooks
}

func (s hookedInventory) Devices(ctx context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return s.hooks.list(ctx, q, func(ctx context.Context) iter.Seq2[inventory.Device, error] { return s.Source.Devices(ctx, q) })
}

func (s hookedInventory) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	scan, err := s.fleet.Scan(ctx, d)
	if s.hooks.scan != nil {
		return s.hooks.scan(d, scan, err)
	}
	return scan, err
}

// table is an inventory whose connection is lost after the first device.
type table struct{ inventory.Source }

func (s table) Devices(ctx context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		for d, err := range s.Source.Devices(ctx, q) {
			if yield(d, err) {
				yield(inventory.Device{}, errors.New("test: connection lost"))
			}
			return
		}
	}
}

func inventoryHarness(bad func() *inventoryHooks) InventoryHarness {
	source := func() hookedInventory {
		s := hookedInventory{fleet: new(memory.Fleet), offline: new(atomic.Bool), hooks: new(inventoryHooks)}
		s.fleet.Behave = func(inventory.DeviceID, rollout.Task) memory.Behaviour {
			return memory.Behaviour{Offline: s.offline.Load()}
		}
		s.fleet.AddDevice(deviceList()...)
		s.Source = s.fleet
		if bad != nil {
			s.hooks = bad()
		}
		return s
	}
	return InventoryHarness{
		New:  func(*testing.T) inventory.Source { return source() },
		Want: []inventory.DeviceID{"ada", "bob", "cyd"},
		Broken: func(*testing.T) inventory.Source {
			s := source()
			s.Source = table{s.fleet}
			return s
		},
		Scanned: func(d inventory.Device) bool { return d.ID != "bob" },
		Change: func(t *testing.T, s inventory.Source, d inventory.Device) {
			d.Software = []inventory.Software{installed("openssl", "2")}
			s.(hookedInventory).fleet.AddDevice(d)
		},
		Cut: func(_ *testing.T, s inventory.Source, _ inventory.Device) { s.(hookedInventory).offline.Store(true) },
		Uncovered: func(*testing.T) (inventory.Source, inventory.Device, string) {
			return source(), deviceList()[1], "flatpak"
		},
	}
}

type approverHooks struct {
	*memory.Approver
	decide    func(r policy.Request, d policy.Decision, err error) (policy.Decision, error)
	attempted map[string]string // who has tried to approve a request
}

func (a *approverHooks) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	d, err := a.Approver.Decide(ctx, r)
	if a.decide != nil {
		return a.decide(r, d, err)
	}
	return d, err
}

func approverHarness(bad func(*approverHooks)) ApproverHarness {
	approver := func() *approverHooks {
		a := &approverHooks{Approver: new(memory.Approver), attempted: make(map[string]string)}
		if bad != nil {
			bad(a)
		}
		return a
	}
	return ApproverHarness{
		New: func(*testing.T) policy.Approver { return approver() },
		Approve: func(t *testing.T, p policy.Approver, r policy.Request, by string) {
			a := p.(*approverHooks)
			a.attempted[r.ID] = by
			if err := a.Approve(r.ID, r.Digest, by); by != r.By {
				require.NoError(t, err)
			}
		},
		Deny: func(t *testing.T, p policy.Approver, r policy.Request, by string) {
			require.NoError(t, p.(*approverHooks).Deny(r.ID, r.Digest, by, "not today"))
		},
		Broken: func(*testing.T) policy.Approver {
			a := approver()
			return policy.ApproverFunc(func(ctx context.Context, r policy.Request) (policy.Decision, error) {
				if a.decide != nil {
					return a.decide(r, policy.Decision{}, errBroken)
				}
				return policy.Decision{}, errBroken
			})
		},
	}
}

var errBroken = errors.New("test: nobody can be reached")

type call func(ctx context.Context, t rollout.Task) (rollout.Report, error)

// A world is a fleet with one device, and what a test can do to it. A bad deployer replaces some of the calls.
type world struct {
	*memory.Fleet
	deploy, status, verify, rollback, reboot, download, snapshot, probe, remedy, drain, uncordon call
	cancel                                                                                       func(ctx context.Context, t rollout.Task) error

	mu        sync.Mutex
	now       time.Time
	behaviour memory.Behaviour
	alter     func(t rollout.Task, b *memory.Behaviour)
}

func (w *world) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.deploy(ctx, t)
}
func (w *world) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.status(ctx, t)
}
func (w *world) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.verify(ctx, t)
}
func (w *world) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.rollback(ctx, t)
}
func (w *world) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.reboot(ctx, t)
}

func (w *world) Download(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.download(ctx, t)
}

// Snapshot implements [rollout.Snapshotter].
func (w *world) Snapshot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.snapshot(ctx, t)
}

// Remedy implements [rollout.Remedier].
func (w *world) Remedy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.remedy(ctx, t)
}

// Drain implements [rollout.Drainer].
func (w *world) Drain(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.drain(ctx, t)
}

// Uncordon implements [rollout.Drainer].
func (w *world) Uncordon(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.uncordon(ctx, t)
}

// Probe implements [rollout.Prober].
func (w *world) Probe(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return w.probe(ctx, t)
}
func (w *world) Cancel(ctx context.Context, t rollout.Task) error { return w.cancel(ctx, t) }

func (w *world) set(f func(b *memory.Behaviour)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.behaviour)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func newWorld() *world {
	w := &world{Fleet: new(memory.Fleet), now: date(5), behaviour: memory.Behaviour{Latency: time.Minute}}
	w.Fleet.Now = w.clock
	w.Fleet.Behave = func(_ inventory.DeviceID, t rollout.Task) memory.Behaviour {
		w.mu.Lock()
		defer w.mu.Unlock()
		b := w.behaviour
		if w.alter != nil {
			w.alter(t, &b)
		}
		return b
	}
	w.deploy, w.status, w.cancel = w.Fleet.Deploy, w.Fleet.Status, w.Fleet.Cancel
	w.verify, w.rollback, w.reboot, w.download, w.snapshot = w.Fleet.Verify, w.Fleet.Rollback, w.Fleet.Reboot, w.Fleet.Download, w.Fleet.Snapshot
	w.probe, w.remedy, w.drain, w.uncordon = w.Fleet.Probe, w.Fleet.Remedy, w.Fleet.Drain, w.Fleet.Uncordon
	w.AddDevice(deviceList()...)
	return w
}

func deployerHarness(bad func(*world)) DeployerHarness {
	last := newWorld()
	one := rollout.Pinned{ID: "test:one", Packages: openssl("2")}
	two := rollout.Pinned{ID: "test:two", Packages: openssl("3")}
	return DeployerHarness{
		New: func(*testing.T) rollout.Deployer {
			last = newWorld()
			if bad != nil {
				bad(last)
			}
			return last
		},
		Rollout: rollout.Key{Tenant: "acme", ID: "q1"},
		Device:  "ada",
		Content: rollout.Content{Patches: []rollout.Pinned{one}},
		Stack:   rollout.Content{Patches: []rollout.Pinned{one, two}},
		Settle: func(*testing.T, rollout.Deployer) {
			last.mu.Lock()
			defer last.mu.Unlock()
			last.now = last.now.Add(2 * time.Hour)
		},
		Now: func() time.Time { return last.clock() },
		Up:  []policy.Probe{{Name: "till", Of: "tilld"}},
		Look: func(t *testing.T, _ rollout.Deployer) inventory.Scan {
			d, found := last.Device("acme", "ada")
			require.True(t, found)
			return inventory.Scan{Tenant: d.Tenant, Device: d.ID, Software: d.Software, Missing: d.Missing, BootID: d.BootID,
				PendingReboot: d.PendingReboot}
		},
		Installs: func(_ *testing.T, d rollout.Deployer) int { return last.Installs("ada") },
		Fail: func(*testing.T, rollout.Deployer) patch.Fault {
			last.set(func(b *memory.Behaviour) { b.Fault = patch.DiskFull })
			return patch.DiskFull
		},
		Break: func(*testing.T, rollout.Deployer) { last.set(func(b *memory.Behaviour) { b.Breaks = true }) },
		Cut: func(*testing.T, rollout.Deployer) func() {
			last.set(func(b *memory.Behaviour) { b.Offline = true })
			return func() { last.set(func(b *memory.Behaviour) { b.Offline = false }) }
		},
		Serves: func(*testing.T, rollout.Deployer) bool { return !last.Drained("acme", "ada") },
		Hold:   func(*testing.T, rollout.Deployer) { last.set(func(b *memory.Behaviour) { b.Wait = time.Hour }) },
	}
}
