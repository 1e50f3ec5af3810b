package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A Fleet is a fleet of devices, with the patches that are published for it. The zero Fleet is empty and ready to use.
//
// It is safe for concurrent use, but for its two exported fields: they are set before the first call and not changed
// afterwards. Software lists are shared between devices that were added with the same slice, with the caller's own slice,
// and with what the listings yield: nobody may write to them. A device that changes costs memory for what has changed on
// it only, so that a fleet of 100,000 devices fits in little memory.
type Fleet struct {
	// Now tells the time; nil means [time.Now]. It is called with the fleet locked and must not call the fleet.
	Now func() time.Time

	// Behave says how device d does t; nil means at once and well. It is asked before every call that concerns a
	// task, with that task, and before every scan, with the zero Task. What it answers to the call that begins a task holds
	// for that task, except for Offline, which holds for the call. It may call the fleet.
	Behave func(d inventory.DeviceID, t rollout.Task) Behaviour

	mu       sync.Mutex
	patches  list[patch.ID, patch.Patch]
	devices  list[deviceKey, *device]
	named    map[inventory.DeviceID][]*device
	tasks    map[rollout.TaskID]*task
	log      []Entry
	installs map[inventory.DeviceID]int // how many have begun
}

var (
	_ patch.Source       = (*Fleet)(nil)
	_ inventory.Source   = (*Fleet)(nil)
	_ inventory.Scanner  = (*Fleet)(nil)
	_ rollout.Deployer   = (*Fleet)(nil)
	_ rollout.Verifier   = (*Fleet)(nil)
	_ rollout.Rollbacker = (*Fleet)(nil)
	_ rollout.Rebooter   = (*Fleet)(nil)
	_ rollout.Drainer    = (*Fleet)(nil)
	_ rollout.Canceller  = (*Fleet)(nil)
)

// Behaviour says how a device does a task. The zero Behaviour does it at once and well.
type Behaviour struct {
	Wait    time.Duration // how long the task lies on the device before it begins, as with an agent that wakes up now and then
	Latency time.Duration // from the beginning of the task to its end

	Fault   patch.Fault // the task fails so and changes nothing
	Message string      // the words of the last report; "" leaves them to the fleet

	Offline     bool // the device cannot be reached: the call fails and begins nothing
	NeedsReboot bool // an installation leaves the device owing a restart, whatever the patches say
	Lie         bool // the task changes nothing and is reported as a success
	Breaks      bool // an installation is made, but what was installed does not work, which Verify finds

	Damage patch.Fault // installations fail so and change nothing, until a remedy for it has ended on the device

	Down []string // services, keys of the registry and custom checks that a probe finds down
	Up   []string // keys of the registry and custom checks that a probe finds up; of all others it knows nothing
}

// AddPatch publishes patches. One with the ID of another takes its place.
func (f *Fleet) AddPatch(patches ...patch.Patch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range patches {
		f.patches.put(p.ID, p)
	}
}

// AddDevice adds devices, as they are and as if they had just been scanned. Without Coverage every manager that a
// device's software names is covered completely; without BootID there is one; an unknown PendingReboot is found to be
// no. The coverage that is given is what every later scan reaches too: software of a manager that is not covered stays on the
// device and out of its scans.
//
// A device with the tenant and ID of another takes its place, as if it had been installed afresh: the work that was
// under way on the old one is gone.
func (f *Fleet) AddDevice(devices ...inventory.Device) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.named == nil {
		f.named = make(map[inventory.DeviceID][]*device)
	}
	now := f.now()
	for _, d := range devices {
		f.remove(deviceKey{d.Tenant, d.ID})
		added := newDevice(d, now)
		f.devices.put(added.key(), added)
		f.named[d.ID] = append(f.named[d.ID], added)
	}
}

// RemoveDevice takes a device away, and says whether it was there. How its unfinished tasks ended is never known.
func (f *Fleet) RemoveDevice(t inventory.Tenant, d inventory.DeviceID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := deviceKey{t, d}
	found := f.remove(k)
	f.devices.drop(k)
	return found
}

// remove makes everybody forget the device k but the list of devices, where another may take its place.
func (f *Fleet) remove(k deviceKey) bool {
	d, found := f.devices.get(k)
	if !found {
		return false
	}
	d.removed = true
	f.named[k.id] = slices.DeleteFunc(f.named[k.id], func(o *device) bool { return o == d })
	return true
}

// Device returns a device as it really is at this moment, scanned or not, and whether it is there.
func (f *Fleet) Device(t inventory.Tenant, id inventory.DeviceID) (inventory.Device, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, found := f.devices.get(deviceKey{t, id})
	if !found {
		return inventory.Device{}, false
	}
	f.advance(d, f.now())
	return d.view(d.now), true
}

// Drained says whether a device was taken out of service and not put back. One that is not there is not.
func (f *Fleet) Drained(t inventory.Tenant, id inventory.DeviceID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, found := f.devices.get(deviceKey{t, id})
	if !found {
		return false
	}
	f.advance(d, f.now())
	return d.drained
}

// Patches implements [patch.Source].
func (f *Fleet) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		f.mu.Lock()
		patches := slices.Clone(f.patches.values)
		f.mu.Unlock()
		for i := range patches {
			if err := ctx.Err(); err != nil {
				yield(patch.Patch{}, fmt.Errorf("memory: patches: %w", err))
				return
			}
			if fits(&patches[i], q) && !yield(patches[i], nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(patch.Patch{}, fmt.Errorf("memory: patches: %w", err))
		}
	}
}

// fits says whether q asks for p. What p does not say does not keep it out: a source may over-deliver.
func fits(p *patch.Patch, q patch.Query) bool {
	dated := !p.Released.IsZero() || !p.Modified.IsZero()
	if dated && p.Released.Before(q.Since) && p.Modified.Before(q.Since) {
		return false
	}
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(o patch.Platform) bool {
		return same(p.Platform.OS, o.OS) && same(p.Platform.Version, o.Version) &&
			(p.Platform.Arch == "all" || same(p.Platform.Arch, o.Arch))
	})
}

// Devices implements [inventory.Source]: it yields every device as its last scan found it.
func (f *Fleet) Devices(ctx context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		f.mu.Lock()
		devices := slices.Clone(f.devices.values)
		f.mu.Unlock()
		for _, d := range devices {
			if err := ctx.Err(); err != nil {
				yield(inventory.Device{}, fmt.Errorf("memory: devices: %w", err))
				return
			}
			if !q.Tenant.Contains(d.base.Tenant) || !q.Selector.IsZero() && !q.Selector.Matches(&d.base) {
				continue
			}
			f.mu.Lock()
			listed := d.view(d.seen)
			f.mu.Unlock()
			if !yield(listed, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(inventory.Device{}, fmt.Errorf("memory: devices: %w", err))
		}
	}
}

// Scan implements [inventory.Scanner]. A device that is restarting cannot be reached.
func (f *Fleet) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	if err := ctx.Err(); err != nil {
		return inventory.Scan{}, fmt.Errorf("memory: scan %q: %w", d.ID, err)
	}
	offline := f.behave(rollout.Task{Device: d.ID}).Offline
	f.mu.Lock()
	defer f.mu.Unlock()
	o, found := f.devices.get(deviceKey{d.Tenant, d.ID})
	if !found {
		return inventory.Scan{}, noDevice(d.Tenant, d.ID)
	}
	now := f.now()
	f.advance(o, now)
	if offline || o.restarting() {
		return inventory.Scan{}, unreachable(d.ID)
	}
	return o.scan(now), nil
}

func (f *Fleet) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// behave asks how a device does t. A scan is the zero Task but for its device.
func (f *Fleet) behave(t rollout.Task) Behaviour {
	if f.Behave == nil {
		return Behaviour{}
	}
	d := t.Device
	if t.ID == "" {
		t = rollout.Task{}
	}
	return f.Behave(d, t)
}

// find returns the device of a task.
func (f *Fleet) find(t inventory.Tenant, id inventory.DeviceID) (*device, error) {
	if d, found := f.devices.get(deviceKey{t, id}); found {
		return d, nil
	}
	return nil, noDevice(t, id)
}

func noDevice(t inventory.Tenant, id inventory.DeviceID) error {
	return fmt.Errorf("memory: device %q of tenant %q: no such device: %w", id, t, patch.ErrPermanent)
}

func unreachable(id inventory.DeviceID) error {
	return fmt.Errorf("memory: device %q: %w", id, patch.ErrUnreachable)
}

// A list holds values in the order in which their keys were first put, and finds them by key.
type list[K comparable, V any] struct {
	values []V
	keys   []K
	at     map[K]int
}

func (l *list[K, V]) get(k K) (V, bool) {
	i, found := l.at[k]
	if !found {
		var none V
		return none, false
	}
	return l.values[i], true
}

func (l *list[K, V]) put(k K, v V) {
	if i, found := l.at[k]; found {
		l.values[i] = v
		return
	}
	if l.at == nil {
		l.at = make(map[K]int)
	}
	l.at[k] = len(l.values)
	l.keys, l.values = append(l.keys, k), append(l.values, v)
}

func (l *list[K, V]) drop(k K) {
	i, found := l.at[k]
	if !found {
		return
	}
	l.keys, l.values = slices.Delete(l.keys, i, i+1), slices.Delete(l.values, i, i+1)
	delete(l.at, k)
	for ; i < len(l.keys); i++ {
		l.at[l.keys[i]] = i
	}
}
