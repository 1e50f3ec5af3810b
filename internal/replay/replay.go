// Package replay plays a device from a file of commands and what they print, for tests of package managers that cannot run here. Only
// tests import it.
//
// The file is a story as package script reads it. A line "== old" begins what the device does in its state "old", the first one being
// that in which it begins; below "== *" stands what it does in all of them. Any other line at the margin is a command, word by word, with
// ' around words that have blanks. What follows from it is indented:
//
//	brew upgrade --formula jq
//	    % HOMEBREW_NO_AUTO_UPDATE=1
//	    | ==> Upgrading jq
//	    ! Error: jq: no bottle available!
//	    = 1
//	    -> broken
//	    @ permanent
//
// "|" is a line of the standard output, "!" one of the error output, "=" the exit code, "%" a variable that must be set, and "->" the state
// after it; "^" restarts the device, and "+ etc/x testdata/y" makes a file of it what another one is. The root folder is written ROOT, and which boot it is BOOT. "@" is the class that the result must have, for tests of classification.
package replay

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// A Case is one command of a file and what it must give.
type Case struct {
	Line   int
	State  string
	Argv   []string
	Env    []string
	Result transport.Result
	Next   string      // the state after it; "" if it stays
	Want   patch.Fault // its class, where HasWant says so
	asked  bool        // Want stands in the file
	boots  bool
	files  [][2]string // below the root folder, and what they become
	used   bool
}

// HasWant says whether the file has a class for it.
func (c *Case) HasWant() bool { return c.asked }

// Read returns the cases of a file.
func Read(t testing.TB, file string) []*Case {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	s, err := script.Parse(file, text)
	require.NoError(t, err)
	var all []*Case
	state := ""
	for _, step := range s.Steps {
		if name, ok := strings.CutPrefix(step.Text, "== "); ok {
			state = name
			continue
		}
		c := &Case{Line: step.Line, State: state, Argv: words(step.Text), Result: transport.Result{Ended: true}}
		for _, line := range step.Want {
			kind, rest, _ := strings.Cut(line, " ")
			switch kind {
			case "|":
				c.Result.Stdout = append(append(c.Result.Stdout, rest...), '\n')
			case "!":
				c.Result.Stderr = append(append(c.Result.Stderr, rest...), '\n')
			case "=":
				c.Result.Code, err = strconv.Atoi(rest)
				require.NoError(t, err, "%s: line %d", file, step.Line)
			case "%":
				c.Env = append(c.Env, rest)
			case "+":
				to, from, ok := strings.Cut(rest, " ")
				require.True(t, ok, "%s: line %d", file, step.Line)
				c.files = append(c.files, [2]string{to, from})
			case "^":
				c.boots = true
			case "->":
				c.Next = rest
			case "@":
				require.NoError(t, c.Want.UnmarshalText([]byte(rest)), "%s: line %d", file, step.Line)
				c.asked = true
			default:
				t.Fatalf("%s: line %d: %q is none of | ! = %% -> ^ + @", file, step.Line, line)
			}
		}
		all = append(all, c)
	}
	require.NotEmpty(t, all, file)
	return all
}

// words parts a command into its words.
func words(line string) []string {
	var all []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		if rest, quoted := strings.CutPrefix(line, "'"); quoted {
			word, line, _ = strings.Cut(rest, "'")
		} else {
			word, line, _ = strings.Cut(line, " ")
		}
		all = append(all, word)
	}
	return all
}

// A Player is a device that does what a file says. What sh is given runs on this machine.
type Player struct {
	Names   map[string]string // words that stand in the file for longer ones: the texts of scripts
	NoShell bool              // the device has no sh

	t     testing.TB
	file  string
	mu    sync.Mutex
	state string
	cases []*Case
	count map[string]int
	boot  int
	root  string
	sh    transport.Transport
}

// Load returns the device of a file in its first state. A command that the file does not have in the state fails t, and
// so does one that was never run when t ends.
func Load(t testing.TB, file string) *Player {
	t.Helper()
	p := Open(t, file)
	t.Cleanup(func() {
		for _, c := range p.cases {
			if !c.used && !t.Failed() {
				t.Errorf("%s: line %d: %q was never run", p.file, c.Line, c.Argv)
			}
		}
	})
	return p
}

// Open does the same for tests that run only a part of the file.
func Open(t testing.TB, file string) *Player {
	t.Helper()
	p := &Player{t: t, file: file, cases: Read(t, file), count: make(map[string]int), root: t.TempDir(), sh: local.New(local.Config{})}
	for _, c := range p.cases {
		if c.State != "*" {
			p.state = c.State
			break
		}
	}
	p.restart()
	return p
}

// restart gives the device another boot.
func (p *Player) restart() {
	p.boot++
	at := filepath.Join(p.root, "proc/sys/kernel/random")
	err := os.MkdirAll(at, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(at, "boot_id"), fmt.Appendf(nil, "boot-%d\n", p.boot), 0o600)
	}
	if err != nil {
		p.t.Errorf("%s: restart: %v", p.file, err)
	}
}

// Become puts the device into a state.
func (p *Player) Become(state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
}

// Boot returns which boot the device has.
func (p *Player) Boot() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint("boot-", p.boot)
}

// Config returns how the device is reached: as one of a user, whose root folder says which boot it is.
func (p *Player) Config() manager.Config {
	reach := func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		return manager.Device{To: p, Root: p.root, User: true}, nil
	}
	return manager.Config{Reach: reach, Lock: -1, Poll: time.Millisecond}
}

// Windows makes the device one that has no sh, whose ledger lies in a folder of this machine, and which is asked script for how it stands: SYSTEM
// in the file.
func (p *Player) Windows(c *manager.Config, script string) {
	p.Names, p.NoShell = map[string]string{"SYSTEM": script}, true
	ledger := filepath.Join(p.root, "ledger")
	c.Reach = func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		return manager.Device{To: p, User: true, Ledger: ledger}, nil
	}
}

// Copy makes a file below the root folder of the device what another one is.
func (p *Player) Copy(to, from string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copy(to, from)
}

func (p *Player) copy(to, from string) {
	text, err := os.ReadFile(from)
	at := filepath.Join(p.root, filepath.FromSlash(to))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(at), 0o755)
	}
	if err == nil {
		err = os.WriteFile(at, text, 0o600)
	}
	if err != nil {
		p.t.Errorf("%s: %s: %v", p.file, to, err)
	}
}

// Text returns what a file below the root folder of the device holds.
func (p *Player) Text(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.root, filepath.FromSlash(name)))
	require.NoError(p.t, err)
	return string(text)
}

// State returns the state that the device is in.
func (p *Player) State() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Count returns how often the commands that begin with argv were run.
func (p *Player) Count(argv ...string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for key, times := range p.count {
		if strings.HasPrefix(key+"\x00", strings.Join(argv, "\x00")+"\x00") {
			n += times
		}
	}
	return n
}

// Run implements [transport.Transport].
func (p *Player) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	if err := c.Check(); err != nil {
		return transport.Result{}, err
	}
	if c.Argv[0] == "sh" && !p.NoShell {
		return p.sh.Run(ctx, c)
	}
	if err := ctx.Err(); err != nil {
		return transport.Result{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	argv := slices.Clone(c.Argv)
	for i, word := range argv {
		argv[i] = strings.ReplaceAll(word, p.root, "ROOT")
		for name, long := range p.Names {
			if word == long {
				argv[i] = name
			}
		}
	}
	p.count[strings.Join(argv, "\x00")]++
	for _, known := range p.cases {
		if known.State != p.state && known.State != "*" || !slices.Equal(known.Argv, argv) {
			continue
		}
		for _, want := range known.Env {
			if !slices.Contains(c.Env, want) {
				p.t.Errorf("%s: line %d: %q lacks the variable %s", p.file, known.Line, argv, want)
			}
		}
		known.used = true
		if known.Next != "" {
			p.state = known.Next
		}
		for _, f := range known.files {
			p.copy(f[0], f[1])
		}
		if known.boots {
			p.restart()
		}
		res := known.Result
		res.Stdout = bytes.ReplaceAll(res.Stdout, []byte("BOOT"), fmt.Appendf(nil, "boot-%d", p.boot))
		return res, nil
	}
	p.t.Errorf("%s: in the state %q nothing is known of %q", p.file, p.state, argv)
	return transport.Result{}, fmt.Errorf("replay: %q: %w", argv, patch.ErrPermanent)
}
