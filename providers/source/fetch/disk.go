package fetch

import (
	"errors"
	"io"
	"os"
	"runtime"
	"time"
)

// A disk is what the store needs of a folder. Names have no folder in them.
type disk interface {
	Create(name string) (handle, error)      // it must not be there
	Append(name string) (handle, error)      // it must be there
	Open(name string) (io.ReadCloser, error) // for reading
	Rename(from, to string) error
	Remove(name string) error
	Modified(name string) (time.Time, error)
	List() ([]string, error)
	Sync() error // makes names last
	Close() error
}

// A handle is a file that is open for writing.
type handle interface {
	io.WriteCloser
	Sync() error // makes the content last
}

// A folder is a disk that no name leaves.
type folder struct{ root *os.Root }

func (d folder) Create(name string) (handle, error) {
	return open(d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600))
}

func (d folder) Append(name string) (handle, error) {
	return open(d.root.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0))
}

func (d folder) Open(name string) (io.ReadCloser, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func open(f *os.File, err error) (handle, error) {
	if err != nil {
		return nil, err // not a handle that holds nil
	}
	return f, nil
}

func (d folder) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d folder) Remove(name string) error     { return d.root.Remove(name) }
func (d folder) Close() error                 { return d.root.Close() }

func (d folder) Modified(name string) (time.Time, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (d folder) List() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Sync makes the names in the folder last. Windows has no such thing, and does so by itself.
func (d folder) Sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

var _ disk = folder{}
