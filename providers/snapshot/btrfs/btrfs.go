// Package btrfs keeps states of a subvolume of a btrfs file system as read-only snapshots beside it, by the program btrfs of
// btrfs-progs (5.16 and 6 were tried).
//
// The top of the file system has to be mounted somewhere, because a state is put in the place of the subvolume by renaming:
//
//	top/@            the subvolume, mounted as the root of the system
//	top/.patchflow/  what is kept: read-only snapshots, and what was there before a restoration
//
// Where the subvolume itself is mounted the device goes on with the old files until it is restarted, and the mount has to name the
// subvolume (subvol=@) and not its number, which changes.
package btrfs

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/providers/snapshot/internal/tool"
	"github.com/patchflow/patchflow/providers/transport"
)

// Config says where the subvolume is.
type Config struct {
	// To reaches the device. Commands run as root there.
	To transport.Transport

	// Top is where the top of the file system (subvolid=5) is mounted on the device, an absolute path.
	Top string

	// Subvolume is the path below Top of the subvolume whose states are kept, such as "@" or "root".
	Subvolume string

	// Folder is where below Top the states are kept; "" means ".patchflow". It is made when it is first needed.
	Folder string
}

// New returns the states of one subvolume. It does nothing on the device yet.
func New(c Config) (snapshot.Snapshotter, error) {
	if c.Folder == "" {
		c.Folder = ".patchflow"
	}
	switch {
	case c.To == nil:
		return nil, errors.New("btrfs: To is nil")
	case !path.IsAbs(c.Top) || path.Clean(c.Top) != c.Top:
		return nil, fmt.Errorf("btrfs: Top %q: not a clean absolute path", c.Top)
	}
	for _, p := range []struct{ field, path string }{{"Subvolume", c.Subvolume}, {"Folder", c.Folder}} {
		if p.path == "" || path.Clean("/"+p.path) != "/"+p.path || p.path == "." || strings.ContainsAny(p.path, "\x00\n") {
			return nil, fmt.Errorf("btrfs: %s %q: not a clean path below Top", p.field, p.path)
		}
	}
	if below(c.Folder, c.Subvolume) || below(c.Subvolume, c.Folder) {
		return nil, fmt.Errorf("btrfs: Folder %q and Subvolume %q lie in each other", c.Folder, c.Subvolume)
	}
	return &subvolume{Config: c, run: tool.New("btrfs", c.To)}, nil
}

// below says whether a is b or lies in it.
func below(a, b string) bool { return a == b || strings.HasPrefix(a, b+"/") }

type subvolume struct {
	Config
	run tool.Runner
}

// What is in the folder beside the states. No name of a state begins like that.
const (
	coming   = "_next"     // what a restoration is about to put in the place of the subvolume
	replaced = "_replaced" // what the last restoration took away
)

func (s *subvolume) live() string            { return path.Join(s.Top, s.Subvolume) }
func (s *subvolume) kept(name string) string { return path.Join(s.Top, s.Folder, name) }

// Create implements [snapshot.Snapshotter].
func (s *subvolume) Create(ctx context.Context, name string) (snapshot.Snapshot, error) {
	none := snapshot.Snapshot{}
	if err := snapshot.CheckName(name); err != nil {
		return none, err
	}
	end, err := s.run.Turn(ctx)
	if err != nil {
		return none, err
	}
	defer end()
	if made, ok, err := s.show(ctx, s.kept(name)); err != nil || ok {
		return snapshot.Snapshot{Name: name, At: made}, err
	}
	if _, err := s.run.Run(ctx, "mkdir", "-p", "--", s.kept("")); err != nil {
		return none, err
	}
	if _, err := s.run.Run(ctx, "btrfs", "subvolume", "snapshot", "-r", "--", s.live(), s.kept(name)); err != nil {
		return none, err
	}
	made, ok, err := s.show(ctx, s.kept(name))
	if err == nil && !ok {
		err = fmt.Errorf("btrfs: %s was made and is not there", s.kept(name))
	}
	return snapshot.Snapshot{Name: name, At: made}, err
}

// show returns when a subvolume was made, and whether it is there.
func (s *subvolume) show(ctx context.Context, p string) (made time.Time, ok bool, err error) {
	there, err := s.run.Result(ctx, "test", "-e", p)
	if err != nil {
		return made, false, err
	}
	if there.Ended && there.Code == 1 {
		return made, false, nil
	}
	if err := s.run.Failure(there, "test"); err != nil {
		return made, false, err
	}
	out, err := s.run.Run(ctx, "btrfs", "subvolume", "show", "--", p)
	if err != nil {
		return made, false, err
	}
	for line := range bytes.Lines(out) {
		if value, found := bytes.CutPrefix(bytes.TrimSpace(line), []byte("Creation time:")); found {
			made, err := time.Parse("2006-01-02 15:04:05 -0700", strings.TrimSpace(string(value)))
			if err != nil {
				return time.Time{}, false, fmt.Errorf("btrfs: subvolume show %s: creation time: %w", p, err)
			}
			return made.UTC(), true, nil
		}
	}
	return made, false, fmt.Errorf("btrfs: subvolume show %s: tells no creation time", p)
}

// List implements [snapshot.Snapshotter].
func (s *subvolume) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	out, err := s.run.Run(ctx, "btrfs", "subvolume", "list", "-s", "--", s.Top)
	if err != nil {
		return nil, err
	}
	return parseList(out, s.Folder)
}

// parseList reads "ID 257 gen 7 cgen 7 top level 5 otime 2026-11-26 12:11:46 path .patchflow/s1".
func parseList(out []byte, folder string) ([]snapshot.Snapshot, error) {
	var all []snapshot.Snapshot
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<16)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		head, p, ok := strings.Cut(line, " path ")
		if !ok {
			return nil, fmt.Errorf("btrfs: subvolume list: line %d: %.200q: no path", n, line)
		}
		name, ok := strings.CutPrefix(p, folder+"/")
		if !ok || snapshot.CheckName(name) != nil {
			continue
		}
		_, text, _ := strings.Cut(head, " otime ")
		made, err := time.Parse(time.DateTime, text)
		if err != nil {
			return nil, fmt.Errorf("btrfs: subvolume list: line %d: %w", n, err)
		}
		all = append(all, snapshot.Snapshot{Name: name, At: made})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("btrfs: subvolume list: %w", err)
	}
	slices.SortFunc(all, func(a, b snapshot.Snapshot) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return all, nil
}

// Restore implements [snapshot.Snapshotter]. What was there before is kept beside the states until the next restoration; where it
// is mounted, until the first restoration after a restart.
//
// A crash on the way leaves the subvolume as it was, as it is to be, or absent for as long as it takes to restore again: two
// renamings are no single one.
func (s *subvolume) Restore(ctx context.Context, name string) (snapshot.Restored, error) {
	none := snapshot.Restored{}
	if err := snapshot.CheckName(name); err != nil {
		return none, err
	}
	end, err := s.run.Turn(ctx)
	if err != nil {
		return none, err
	}
	defer end()
	if _, ok, err := s.show(ctx, s.kept(name)); err != nil {
		return none, err
	} else if !ok {
		return none, fmt.Errorf("btrfs: restore: %w", snapshot.NotKept(name))
	}
	if err := s.drop(ctx, s.kept(coming)); err != nil {
		return none, err
	}
	if _, err := s.run.Run(ctx, "btrfs", "subvolume", "snapshot", "--", s.kept(name), s.kept(coming)); err != nil {
		return none, err
	}
	table, err := s.mounts(ctx)
	if err != nil {
		return none, err
	}
	if _, there, err := s.show(ctx, s.live()); err != nil {
		return none, err
	} else if there {
		if err := s.makeRoom(ctx, table); err != nil {
			return none, err
		}
		if _, err := s.run.Run(ctx, "mv", "-T", "--", s.live(), s.kept(replaced)); err != nil {
			return none, err
		}
	}
	if _, err := s.run.Run(ctx, "mv", "-T", "--", s.kept(coming), s.live()); err != nil {
		return none, err
	}
	return snapshot.Restored{Reboot: s.needsRestart(table)}, nil
}

// makeRoom makes room for what is about to be taken away. What was taken away before is deleted, but for what is still mounted:
// deleting that succeeds as well, and takes the running system its files. It is put aside.
func (s *subvolume) makeRoom(ctx context.Context, table mounts) error {
	const most = 100
	free := ""
	for n := 0; n <= most; n++ {
		name := replaced
		if n > 0 {
			name = fmt.Sprintf("%s-%d", replaced, n)
		}
		_, there, err := s.show(ctx, s.kept(name))
		switch {
		case err != nil:
			return err
		case there && !table.below(path.Join(s.Folder, name)):
			if _, err := s.run.Run(ctx, "btrfs", "subvolume", "delete", "--commit-after", "--", s.kept(name)); err != nil {
				return err
			}
			there = false
		}
		if n > 0 && !there {
			free = name
			break
		}
	}
	_, there, err := s.show(ctx, s.kept(replaced))
	switch {
	case err != nil || !there:
		return err
	case free == "":
		return fmt.Errorf("btrfs: %d former states of %s are mounted: %w", most, s.Subvolume, patch.ErrNeedsUser)
	}
	_, err = s.run.Run(ctx, "mv", "-T", "--", s.kept(replaced), s.kept(free))
	return err
}

// mounts tells which parts of one file system are mounted, as paths below its top.
type mounts struct {
	roots []string
	known bool // whether the file system was found at all
}

// mounts reads what is mounted, as far as a process of root's sees it.
func (s *subvolume) mounts(ctx context.Context) (mounts, error) {
	out, err := s.run.Run(ctx, "cat", "/proc/self/mountinfo")
	if err != nil {
		return mounts{}, err
	}
	return parseMounts(string(out), s.Top), nil
}

// parseMounts reads a table of mounts, as proc_pid_mountinfo(5) describes it: number, parent, device, root within the file system,
// and mount point, where blanks and backslashes stand as \040 and the like.
func parseMounts(table, top string) (m mounts) {
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	device := ""
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 4 && plain.Replace(f[4]) == top {
			device, m.known = f[2], true
		}
	}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); m.known && len(f) > 4 && f[2] == device {
			m.roots = append(m.roots, strings.TrimPrefix(plain.Replace(f[3]), "/"))
		}
	}
	return m
}

// below says whether p, or something in it, is mounted by itself. Where nothing is known it says so, to be safe.
func (m mounts) below(p string) bool {
	return !m.known || slices.ContainsFunc(m.roots, func(root string) bool { return below(root, p) })
}

// needsRestart says whether the device works on the subvolume, or on one that took its place before.
func (s *subvolume) needsRestart(m mounts) patch.Tri {
	aside := path.Join(s.Folder, replaced)
	switch {
	case !m.known:
		return patch.Unknown
	case m.below(s.Subvolume) || slices.ContainsFunc(m.roots, func(root string) bool { return strings.HasPrefix(root, aside) }):
		return patch.Yes
	}
	return patch.No
}

// Delete implements [snapshot.Snapshotter].
func (s *subvolume) Delete(ctx context.Context, name string) error {
	if err := snapshot.CheckName(name); err != nil {
		return err
	}
	end, err := s.run.Turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	return s.drop(ctx, s.kept(name))
}

// drop deletes a subvolume that may be there.
func (s *subvolume) drop(ctx context.Context, p string) error {
	_, ok, err := s.show(ctx, p)
	if err != nil || !ok {
		return err
	}
	_, err = s.run.Run(ctx, "btrfs", "subvolume", "delete", "--commit-after", "--", p)
	return err
}
