package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// A memory is what an agent remembers across crashes and restarts: which tasks it has begun, and what it has not told yet. It lies in one
// file, which is replaced as a whole, so that a crash leaves the old one or the new one.
type memory struct {
	path  string
	tasks []entry // the oldest first
}

// An entry is one task. The order of its life is the whole point: it is begun here before it is begun on the device, ended here before that
// is told, and told before it is forgotten.
type entry struct {
	Task   rollout.Task   `json:"task"`
	Boot   string         `json:"boot,omitempty"` // of the device when it was begun
	Begun  time.Time      `json:"begun"`
	Ended  bool           `json:"ended"`
	Report rollout.Report `json:"report"`         // once ended
	Told   bool           `json:"told"`           // the console has it
	Lost   bool           `json:"lost,omitempty"` // it was cut short, and nobody knows whether what it began still runs
}

// keep is how many tasks that are over and told are remembered: a console that lost its own memory may hand them out once more.
const keep = 100

func openMemory(path string) (*memory, error) {
	m := &memory{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m.tasks)
	}
	if err != nil {
		// Without its memory an agent might begin things twice. It does nothing until somebody has looked.
		return nil, fmt.Errorf("state: %s: %w", path, err)
	}
	return m, nil
}

// find returns what is remembered of a task, nil if nothing is.
func (m *memory) find(id rollout.TaskID) *entry {
	i := slices.IndexFunc(m.tasks, func(e entry) bool { return e.Task.ID == id })
	if i < 0 {
		return nil
	}
	return &m.tasks[i]
}

// busy says whether a task is under way whose end is not known.
func (m *memory) busy() bool {
	return slices.ContainsFunc(m.tasks, func(e entry) bool { return !e.Ended })
}

// put remembers e in place of what is known of its task, and returns when that is on the disk.
func (m *memory) put(e entry) error {
	tasks := slices.Clone(m.tasks)
	if i := slices.IndexFunc(tasks, func(old entry) bool { return old.Task.ID == e.Task.ID }); i >= 0 {
		tasks[i] = e
	} else {
		tasks = append(tasks, e)
	}
	for over := 0; ; over++ {
		i := slices.IndexFunc(tasks, func(e entry) bool { return e.Ended && e.Told })
		if i < 0 || len(tasks) <= keep {
			break
		}
		tasks = slices.Delete(tasks, i, i+1)
	}
	text, err := json.MarshalIndent(tasks, "", " ")
	if err == nil {
		err = replace(m.path, text)
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	m.tasks = tasks
	return nil
}

// replace writes a file as a whole: it holds the old text or the new one, whatever happens.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system can
	return dir.Close()
}
