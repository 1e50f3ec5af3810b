package providertest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/snapshot"
)

// A disk is a file system in memory that keeps its states. Its hooks make it a bad one.
type disk struct {
	mu    sync.Mutex
	clock int
	files map[string]string
	kept  map[string]state

	created  func(d *disk, name string, again bool) // after a state was kept, or found
	listed   func(list []snapshot.Snapshot)         // what is listed
	restored func(d *disk, s state)                 // after the files were taken back
	unknown  func(d *disk) error                    // for a name that is not kept, instead of the right error
	deleted  func(d *disk, name string, there bool) error
	check    func(name string) error
	race     *overlap
}

type state struct {
	at    time.Time
	files map[string]string
}

func newDisk() *disk {
	return &disk{files: make(map[string]string), kept: make(map[string]state), check: snapshot.CheckName}
}

func (d *disk) Create(_ context.Context, name string) (snapshot.Snapshot, error) {
	if err := d.check(name); err != nil {
		return snapshot.Snapshot{}, err
	}
	if d.race != nil && d.race.meets() {
		return snapshot.Snapshot{}, errors.New("two calls at once")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, again := d.kept[name]
	if !again {
		d.clock++
		d.kept[name] = state{time.Unix(int64(d.clock/2), 0).UTC(), maps.Clone(d.files)}
	}
	if d.created != nil {
		d.created(d, name, again)
	}
	return snapshot.Snapshot{Name: name, At: d.kept[name].at}, nil
}

func (d *disk) List(context.Context) ([]snapshot.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []snapshot.Snapshot
	for name, s := range d.kept {
		list = append(list, snapshot.Snapshot{Name: name, At: s.at})
	}
	slices.SortFunc(list, func(a, b snapshot.Snapshot) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	if d.listed != nil {
		d.listed(list)
	}
	return list, nil
}

func (d *disk) Restore(_ context.Context, name string) (snapshot.Restored, error) {
	if err := d.check(name); err != nil {
		return snapshot.Restored{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.kept[name]
	if !ok {
		if d.unknown != nil {
			return snapshot.Restored{}, d.unknown(d)
		}
		return snapshot.Restored{}, snapshot.NotKept(name)
	}
	d.files = maps.Clone(s.files)
	if d.restored != nil {
		d.restored(d, s)
	}
	return snapshot.Restored{Reboot: patch.No}, nil
}

func (d *disk) Delete(_ context.Context, name string) error {
	if err := d.check(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, there := d.kept[name]
	delete(d.kept, name)
	if d.deleted != nil {
		return d.deleted(d, name, there)
	}
	return nil
}

// The disk is the snapshotter that the suite knows.
func TestKnownSnapshotter(t *testing.T) { Snapshotter(t, diskHarness(func(*disk) {})) }

func diskHarness(spoil func(d *disk)) SnapshotterHarness {
	return SnapshotterHarness{New: func(*testing.T) (snapshot.Snapshotter, SnapshotFiles) {
		d := newDisk()
		spoil(d)
		return d, SnapshotFiles{
			Write: func(_ *testing.T, path, text string) {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.files[path] = text
			},
			Read: func(_ *testing.T, path string) (string, bool) {
				d.mu.Lock()
				defer d.mu.Unlock()
				text, there := d.files[path]
				return text, there
			},
		}
	}}
}

func badSnapshotters() []badProvider {
	var all []badProvider
	add := func(name, breaks string, spoil func(d *disk)) {
		all = append(all, badProvider{"snapshotter that " + name, "Snapshotter", breaks, func(t *testing.T) { Snapshotter(t, diskHarness(spoil)) }})
	}
	add("keeps only the first state", "Create/a state is kept", func(d *disk) {
		d.created = func(d *disk, name string, again bool) {
			if name == "b" && !again && len(d.files) > 0 {
				d.kept[name] = state{d.kept[name].at, maps.Clone(d.kept["a"].files)}
			}
		}
	})
	add("keeps a name anew", "Create/what is kept stays as it is", func(d *disk) {
		d.created = func(d *disk, name string, again bool) {
			if again {
				d.kept[name] = state{d.kept[name].at, maps.Clone(d.files)}
			}
		}
	})
	add("cannot be called twice at once", "Create/calls come one after the other", func(d *disk) { d.race = new(overlap) })
	add("lists by name", "List/what is kept is listed in order", func(d *disk) {
		d.clock = 1
		d.created = func(d *disk, name string, again bool) { d.clock++ }
		d.listed = func(list []snapshot.Snapshot) {
			slices.SortFunc(list, func(a, b snapshot.Snapshot) int { return cmp.Compare(a.Name, b.Name) })
		}
	})
	add("leaves new files", "Restore/files are as they were", func(d *disk) {
		d.restored = func(d *disk, _ state) {
			if d.files["changed"] != "" {
				d.files["new"] = "left"
			}
		}
	})
	add("works on what is kept", "Restore/what comes after a restoration does not change what is kept", func(d *disk) {
		d.restored = func(d *disk, s state) { d.files = s.files }
	})
	add("takes the last state for one that is not kept", "Restore/a name that is not kept changes nothing", func(d *disk) {
		d.unknown = func(d *disk) error {
			if s, ok := d.kept["a"]; ok {
				d.files = maps.Clone(s.files)
			}
			return snapshot.NotKept("b")
		}
	})
	add("cannot give up twice", "Delete/a state is given up", func(d *disk) {
		d.deleted = func(_ *disk, name string, there bool) error {
			if !there {
				return snapshot.NotKept(name)
			}
			return nil
		}
	})
	add("takes any name", "Names/a bad name is refused", func(d *disk) { d.check = func(string) error { return nil } })
	return all
}
