//go:build hostile

package source_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// What hostile files may cost: 64 MiB of resident memory for the whole process, of which a test binary takes some 15.
const (
	bombSize = 1 << 30
	maxPeak  = 64 << 20

	// slowSize is what is read at most of a bomb that is of the smallest parts, each of which takes time. Who keeps the text exceeds
	// maxPeak, and who keeps an offset for each part, or the records themselves, exceeds it many times.
	slowSize = maxPeak
)

// hostileVariable names what a child process reads: a parser, a bomb and a folder of packed bombs, parted by lines.
const hostileVariable = "PATCHFLOW_HOSTILE"

// fileName is what every hostile file is called, and what errors have to name.
const fileName = "hostile.feed"

func TestMain(m *testing.M) {
	if task := os.Getenv(hostileVariable); task != "" {
		words := strings.Split(task, "\n")
		if err := detonate(os.Stdout, words[0], words[1], words[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// An outcome is what a child process tells.
type outcome struct {
	Peak     int64  // bytes of resident memory
	Patches  int    // or what else was read
	Refused  int    // errors about single records
	First    string // the first of them
	Fatal    string // the error that ended the reading
	TooLarge bool   // any of them wraps source.ErrTooLarge
}

// A tally gathers what a parser says, and keeps no more than the outcome.
type tally struct {
	outcome
	limits source.Limits // what the parser is to keep, if it has slow bombs
}

func (t *tally) tell(err error) {
	switch {
	case err == nil:
		t.Patches++
		return
	case errors.Is(err, patch.ErrRecord):
		if t.Refused++; t.Refused == 1 {
			t.First = err.Error()
		}
	default:
		t.Fatal = err.Error()
	}
	t.TooLarge = t.TooLarge || errors.Is(err, source.ErrTooLarge)
}

// all takes what a source lists.
func (t *tally) all(s patch.Source, err error) {
	if err != nil {
		t.tell(err)
		return
	}
	for _, err := range s.Patches(context.Background(), patch.Query{}) {
		t.tell(err)
	}
}

// whole takes what a function returns that reads a file at once.
func (t *tally) whole(refused []error, err error) {
	for _, r := range refused {
		t.tell(r)
	}
	t.tell(err)
}

// detonate reads a bomb, and writes what came of it.
func detonate(w io.Writer, parser, bomb, folder string) error {
	for _, p := range parsers() {
		if p.name != parser {
			continue
		}
		for _, b := range p.bombs() {
			if b.name != bomb {
				continue
			}
			var t tally
			if b.slow {
				t.limits.Bytes = slowSize
			}
			p.read(&t, func() (io.ReadCloser, error) {
				if b.packed != "" {
					return os.Open(filepath.Join(folder, b.packed))
				}
				return io.NopCloser(b.reader(bombSize)), nil
			})
			var err error
			if t.Peak, err = peak(); err != nil {
				return err
			}
			return json.NewEncoder(w).Encode(t.outcome)
		}
	}
	return fmt.Errorf("no parser %q with a bomb %q", parser, bomb)
}

// peak returns the largest resident memory that the process ever had.
func peak() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc/self/status")
}

// Every parser reads every bomb that is made for it in a process of its own, to its end, in little memory, and says what
// is wrong.
func TestBombs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of resident memory is read from /proc")
	}
	if raced {
		t.Skip("the race detector has memory of its own")
	}
	folder := t.TempDir()
	pack(t, folder)
	program, err := os.Executable()
	require.NoError(t, err)
	for _, p := range parsers() {
		for _, b := range p.bombs() {
			t.Run(p.name+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				child := exec.CommandContext(t.Context(), program)
				child.Env = append(os.Environ(), hostileVariable+"="+p.name+"\n"+b.name+"\n"+folder)
				var stderr strings.Builder
				child.Stderr = &stderr
				text, err := child.Output()
				require.NoError(t, err, stderr.String())
				var got outcome
				require.NoError(t, json.Unmarshal(text, &got))
				t.Logf("%d MiB; %d read, %d refused (%.200s); %.300s", got.Peak>>20, got.Patches, got.Refused, got.First, got.Fatal)
				require.Less(t, got.Peak, int64(maxPeak), "bytes of resident memory")
				first := got.Fatal
				if first == "" {
					first = got.First
				}
				require.Contains(t, first, p.names, "the file")
				require.True(t, b.malformed || got.TooLarge, "an error that is not of size: %s", first)
			})
		}
	}
}
