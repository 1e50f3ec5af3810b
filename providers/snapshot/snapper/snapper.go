// Package snapper keeps states of a file system by the program snapper (0.10 was tried), with a configuration of snapper's own that
// the device's owner has made. Snapshots of others in the same configuration are left alone.
//
// A restoration changes the files that differ, one by one, as "snapper undochange" does: it takes effect at once, on a device that
// goes on working meanwhile. Whether what runs still has old files open is not known, so that [snapshot.Restored] says unknown.
// snapper takes a file that has the time of modification that it had for unchanged, and leaves it as it is: where content
// may change without that, as packages with times of their own do, package btrfs is the one to use.
package snapper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/providers/snapshot/internal/tool"
	"github.com/patchflow/patchflow/providers/transport"
)

// Config says which configuration of snapper is used.
type Config struct {
	// To reaches the device. Commands run as root there.
	To transport.Transport

	// Configuration is snapper's name for the file system; "" means "root".
	Configuration string

	// DBus asks snapper's service to do the work. Without it the program does it by itself, which is what an agent
	// that runs early, or in a container, needs.
	DBus bool
}

// New returns the states that one configuration keeps. It does nothing on the device yet.
func New(c Config) (snapshot.Snapshotter, error) {
	if c.Configuration == "" {
		c.Configuration = "root"
	}
	if c.To == nil {
		return nil, errors.New("snapper: To is nil")
	}
	if strings.HasPrefix(c.Configuration, "-") || strings.ContainsAny(c.Configuration, "/\x00\n ") {
		return nil, fmt.Errorf("snapper: Configuration %q: not the name of one", c.Configuration)
	}
	return &keeper{Config: c, run: tool.New("snapper", c.To)}, nil
}

type keeper struct {
	Config
	run tool.Runner
}

// mark is the key under which the name of a state stands among the user data of a snapshot.
const mark = "patchflow"

func (k *keeper) snapper(ctx context.Context, words ...string) ([]byte, error) {
	argv := []string{"snapper", "--utc", "--iso", "-c", k.Configuration}
	if !k.DBus {
		argv = slices.Insert(argv, 1, "--no-dbus")
	}
	return k.run.Run(ctx, append(argv, words...)...)
}

// A numbered snapshot is one with the number that snapper gave it.
type numbered struct {
	snapshot.Snapshot
	number int
}

func (k *keeper) all(ctx context.Context) ([]numbered, error) {
	out, err := k.snapper(ctx, "--jsonout", "list", "--columns", "number,date,userdata")
	if err != nil {
		return nil, err
	}
	return parseList(out, k.Configuration)
}

// parseList reads what "snapper --jsonout list" prints: the snapshots by configuration. Number 0 is the present state.
func parseList(out []byte, configuration string) ([]numbered, error) {
	var lists map[string][]struct {
		Number   int               `json:"number"`
		Date     string            `json:"date"`
		UserData map[string]string `json:"userdata"`
	}
	if err := json.Unmarshal(out, &lists); err != nil {
		return nil, fmt.Errorf("snapper: list: %w", err)
	}
	list, ok := lists[configuration]
	if !ok {
		return nil, fmt.Errorf("snapper: list: says nothing of configuration %q", configuration)
	}
	var all []numbered
	for _, x := range list {
		name, ours := x.UserData[mark]
		if !ours || x.Number == 0 || snapshot.CheckName(name) != nil {
			continue
		}
		made, err := time.Parse(time.DateTime, x.Date)
		if err != nil {
			return nil, fmt.Errorf("snapper: list: snapshot %d: %w", x.Number, err)
		}
		all = append(all, numbered{snapshot.Snapshot{Name: name, At: made}, x.Number})
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return all, nil
}

// find returns the state called name. Of two that a crash has left, the one made first is meant.
func (k *keeper) find(ctx context.Context, name string) (numbered, bool, error) {
	all, err := k.all(ctx)
	if err != nil {
		return numbered{}, false, err
	}
	i := slices.IndexFunc(all, func(x numbered) bool { return x.Name == name })
	if i < 0 {
		return numbered{}, false, nil
	}
	return all[i], true, nil
}

// begin checks a name and waits for its turn.
func (k *keeper) begin(ctx context.Context, name string) (end func(), err error) {
	if err := snapshot.CheckName(name); err != nil {
		return nil, err
	}
	return k.run.Turn(ctx)
}

// Create implements [snapshot.Snapshotter].
func (k *keeper) Create(ctx context.Context, name string) (snapshot.Snapshot, error) {
	end, err := k.begin(ctx, name)
	if err != nil {
		return snapshot.Snapshot{}, err
	}
	defer end()
	if x, ok, err := k.find(ctx, name); err != nil || ok {
		return x.Snapshot, err
	}
	if _, err := k.snapper(ctx, "create", "--type", "single", "--description", "before patching", "--userdata", mark+"="+name); err != nil {
		return snapshot.Snapshot{}, err
	}
	x, ok, err := k.find(ctx, name)
	if err == nil && !ok {
		err = fmt.Errorf("snapper: %s was made and is not listed", name)
	}
	return x.Snapshot, err
}

// List implements [snapshot.Snapshotter].
func (k *keeper) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	all, err := k.all(ctx)
	if err != nil {
		return nil, err
	}
	var list []snapshot.Snapshot
	for _, x := range all {
		if !slices.ContainsFunc(list, func(s snapshot.Snapshot) bool { return s.Name == x.Name }) {
			list = append(list, x.Snapshot)
		}
	}
	return list, nil
}

// Restore implements [snapshot.Snapshotter].
func (k *keeper) Restore(ctx context.Context, name string) (snapshot.Restored, error) {
	end, err := k.begin(ctx, name)
	if err != nil {
		return snapshot.Restored{}, err
	}
	defer end()
	x, ok, err := k.find(ctx, name)
	if err != nil {
		return snapshot.Restored{}, err
	}
	if !ok {
		return snapshot.Restored{}, fmt.Errorf("snapper: restore: %w", snapshot.NotKept(name))
	}
	if _, err := k.snapper(ctx, "undochange", strconv.Itoa(x.number)+"..0"); err != nil {
		return snapshot.Restored{}, err
	}
	return snapshot.Restored{Reboot: patch.Unknown}, nil
}

// Delete implements [snapshot.Snapshotter].
func (k *keeper) Delete(ctx context.Context, name string) error {
	end, err := k.begin(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	all, err := k.all(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.Name != name {
			continue
		}
		if _, err := k.snapper(ctx, "delete", strconv.Itoa(x.number)); err != nil {
			return err
		}
	}
	return nil
}
