package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A Folder is the ledger of the device that this program runs on, in a folder of its own. It is safe for concurrent use, also by
// several programs. Its pages look like those of a [Device].
type Folder string

func (f Folder) page(id rollout.TaskID) string { return filepath.Join(string(f), "tasks", page(id)) }

// Claim implements [Ledger].
func (f Folder) Claim(ctx context.Context, b Begun) (Entry, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return Entry{}, err
	}
	at := f.page(b.ID)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return Entry{}, wrong("claim", err)
	}
	// Only one of several can make a folder.
	switch err := os.Mkdir(at, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return f.Read(ctx, b.ID)
	case err != nil:
		return Entry{}, wrong("claim", err)
	}
	if err := write(filepath.Join(at, "begun"), text); err != nil {
		return Entry{}, wrong("claim", errors.Join(err, os.RemoveAll(at)))
	}
	return Entry{}, nil
}

// Read implements [Ledger].
func (f Folder) Read(_ context.Context, id rollout.TaskID) (Entry, error) {
	at := f.page(id)
	switch _, err := os.Stat(at); {
	case errors.Is(err, fs.ErrNotExist):
		return Entry{}, nil
	case err != nil:
		return Entry{}, wrong("read", err)
	}
	var texts [2][]byte
	for i, name := range []string{"begun", "report"} {
		text, err := os.ReadFile(filepath.Join(at, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Entry{}, wrong("read", err)
		}
		texts[i] = text
	}
	_, err := os.Stat(filepath.Join(at, "asked"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Entry{}, wrong("read", err)
	}
	return readEntry("read", texts[0], texts[1], err == nil)
}

// Asked implements [Ledger].
func (f Folder) Asked(_ context.Context, id rollout.TaskID) (first bool, err error) {
	to, err := os.OpenFile(filepath.Join(f.page(id), "asked"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = errors.Join(to.Sync(), to.Close())
	}
	if err != nil {
		return false, wrong("asked", err)
	}
	return true, nil
}

// End implements [Ledger].
func (f Folder) End(_ context.Context, id rollout.TaskID, r rollout.Report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	to := filepath.Join(f.page(id), "report")
	switch _, err := os.Stat(to); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return wrong("end", err)
	}
	if err := write(to, text); err != nil {
		return wrong("end", err)
	}
	return nil
}

func (f Folder) undo() string { return filepath.Join(string(f), "undo") }

// Note implements [Book].
func (f Folder) Note(_ context.Context, lines []byte) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return wrong("note", err)
	}
	to, err := os.OpenFile(f.undo(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return wrong("note", err)
	}
	_, err = to.Write(lines)
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return wrong("note", err)
	}
	return nil
}

// Notes implements [Book].
func (f Folder) Notes(context.Context) ([]byte, error) {
	text, err := os.ReadFile(f.undo())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wrong("notes", err)
	}
	return text, nil
}

// write makes a file appear whole and for good, or not at all.
func write(to string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(to), "new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func wrong(what string, err error) error {
	err = fmt.Errorf("ledger: %s: %w", what, err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", err, patch.ErrDiskFull)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	}
	return err
}
