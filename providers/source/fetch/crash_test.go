package fetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

var errCrash = errors.New("the machine is off")

// A dying disk does so many steps, half of the next one, and nothing after that. What was written and not synced by then is lost.
type dying struct {
	disk
	root     *os.Root
	left     int
	steps    int
	unsynced map[string]bool
}

// step says whether the machine is still on.
func (d *dying) step() error {
	d.steps++
	if d.left--; d.left >= 0 {
		return nil
	}
	for name := range d.unsynced {
		if f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
			_ = f.Close()
		}
	}
	d.unsynced = nil
	return errCrash
}

func (d *dying) Create(name string) (handle, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	h, err := d.disk.Create(name)
	d.unsynced[name] = true
	return &dyingHandle{h, d, name}, err
}

func (d *dying) Append(name string) (handle, error) {
	h, err := d.disk.Append(name)
	if err != nil {
		return nil, err
	}
	return &dyingHandle{h, d, name}, nil
}

func (d *dying) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.unsynced[from] {
		delete(d.unsynced, from)
		d.unsynced[to] = true
	}
	return d.disk.Rename(from, to)
}

func (d *dying) Remove(name string) error {
	if err := d.step(); err != nil {
		return err
	}
	delete(d.unsynced, name)
	return d.disk.Remove(name)
}

func (d *dying) Sync() error {
	if err := d.step(); err != nil {
		return err
	}
	return d.disk.Sync()
}

type dyingHandle struct {
	handle
	d    *dying
	name string
}

func (h *dyingHandle) Write(p []byte) (int, error) {
	if h.d.left == 0 {
		_, _ = h.handle.Write(p[:len(p)/2])
	}
	if err := h.d.step(); err != nil {
		return 0, err
	}
	return h.handle.Write(p)
}

func (h *dyingHandle) Sync() error {
	if err := h.d.step(); err != nil {
		return err
	}
	delete(h.d.unsynced, h.name)
	return h.handle.Sync()
}

func content(t testing.TB, c Copy) string {
	t.Helper()
	r, err := c.Open()
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(data)
}

// The machine dies at each step of taking down a first copy and a second one. What is found then is whole, and good.
func TestACrashAtAnyStep(t *testing.T) {
	version := "one"
	cut := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+version+`"`)
		body := strings.Repeat(version, 1000)
		if cut && r.Header.Get("Range") == "" { // the first answer ends too early, so that there is a part to keep and to resume
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = io.WriteString(w, body[:len(body)/2])
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
	}))
	defer s.Close()
	ask := File{Name: "feed", URLs: []string{s.URL}}
	for _, cut = range []bool{false, true} {
		for step, more := 0, true; more; step++ {
			dir := t.TempDir()
			config := Config{Folder: dir, UserAgent: "x", AllowPrivate: true, Tries: 1}
			version = "one"
			f, err := New(config)
			require.NoError(t, err)
			_, err = f.Get(t.Context(), ask)
			require.NoError(t, err)

			version = "two"
			root, err := os.OpenRoot(dir)
			require.NoError(t, err)
			d := &dying{disk: f.store.disk, root: root, left: step, unsynced: make(map[string]bool)}
			f.store.disk = d
			got, err := f.Get(t.Context(), ask)
			require.NoError(t, err, "the last good copy is there all the time")
			more = d.steps > step
			if !more {
				require.Greater(t, step, 5, "nothing was done")
				require.NoError(t, got.Stale)
			}
			require.NoError(t, f.Close())
			require.NoError(t, root.Close())

			after, err := New(config)
			require.NoError(t, err)
			kept, err := after.Kept("feed")
			require.NoError(t, err, "step %d", step)
			if got.Stale == nil {
				require.Equal(t, strings.Repeat("two", 1000), content(t, kept), "step %d: what was called good must last", step)
			} else {
				if !cut { // else it may be said that the download was interrupted, which is true too
					require.ErrorIs(t, got.Stale, errCrash)
				}
				require.Contains(t, []string{strings.Repeat("one", 1000), strings.Repeat("two", 1000)}, content(t, kept), "step %d", step)
			}
			again, err := after.Get(t.Context(), ask)
			require.NoError(t, err)
			require.NoError(t, again.Stale, "step %d", step)
			require.Equal(t, strings.Repeat("two", 1000), content(t, again), "step %d", step)
			require.NoError(t, after.Close())
		}
	}
}

// A disk that fails once fails the call and nothing else.
func TestADiskThatIsFullLeavesTheLastGoodCopy(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, time.Now()) }))
	defer s.Close()
	f, err := New(Config{Folder: t.TempDir(), UserAgent: "x", AllowPrivate: true})
	require.NoError(t, err)
	defer f.Close()
	ask := File{Name: "feed", URLs: []string{s.URL}}
	first, err := f.Get(t.Context(), ask)
	require.NoError(t, err)
	good := f.store.disk
	f.store.disk = full{good}
	second, err := f.Get(t.Context(), ask)
	require.NoError(t, err)
	require.Equal(t, patch.DiskFull, patch.FaultOf(second.Stale), "%v", second.Stale)
	require.Equal(t, content(t, first), content(t, second))
	ask.Name = "another"
	_, err = f.Get(t.Context(), ask)
	require.Equal(t, patch.DiskFull, patch.FaultOf(err))
	_, err = f.Kept("another")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

type full struct{ disk }

func (full) Create(name string) (handle, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
}

const childFolder, childURL = "PATCHFLOW_FETCH_FOLDER", "PATCHFLOW_FETCH_URL"

// TestChild is the process that the next test kills.
func TestChild(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		t.Skip("only for TestAProcessThatIsKilled, which starts it")
	}
	f, err := New(Config{Folder: dir, UserAgent: "x", AllowPrivate: true})
	require.NoError(t, err)
	for {
		c, err := f.Get(t.Context(), File{Name: "feed", URLs: []string{os.Getenv(childURL)}})
		require.NoError(t, err)
		require.NoError(t, c.Stale)
		fmt.Println("got", c.Digest)
	}
}

func TestAProcessThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := n.Add(1)
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, v))
		fmt.Fprint(w, strings.Repeat(fmt.Sprintf("%08d", v), 32<<10))
	}))
	defer s.Close()
	dir := t.TempDir()
	for round := range 12 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childFolder+"="+dir, childURL+"="+s.URL)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for range round + 1 {
			require.True(t, lines.Scan(), "the child has ended")
			require.Contains(t, lines.Text(), "got sha256:")
		}
		require.NoError(t, child.Process.Kill())
		require.Error(t, child.Wait())

		f, err := New(Config{Folder: dir, UserAgent: "x", AllowPrivate: true})
		require.NoError(t, err)
		c, err := f.Kept("feed")
		require.NoError(t, err)
		text := content(t, c)
		require.Len(t, text, 256<<10)
		require.Equal(t, strings.Repeat(text[:8], 32<<10), text, "one version, not parts of two")
		require.NoError(t, f.Close())
	}
}
