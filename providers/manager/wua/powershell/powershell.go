// Package powershell reaches the Windows Update Agent of a device by a command, for devices whose agent no program calls by COM: a product
// has its own channel there, and nothing of this library.
//
// Two scripts are all that is ever run, one that looks and one that changes. They are constant and go with the command line
// (-EncodedCommand), so that what a device lets run can be pinned; what is wanted goes in as JSON by the standard input, and no text of it
// becomes code. They want PowerShell 3 or newer in the full language mode. What comes out is one line of ASCII, an object of JSON with one
// of these members:
//
//	{"Search": {...}}   as package source/wua reads it
//	{"Outcome": {"ResultCode": 2, "HResult": 0, "RebootRequired": false,
//	  "Each": [{"UpdateID": "f39d68ab-...", "ResultCode": 2, "HResult": 0, "RebootRequired": false}]}}
//	{"System": {"Boot": 31, "Start": 3, "RebootRequired": false, "RebootRequiredBeforeInstallation": false, "IsBusy": false,
//	  "Changing": false}}
//	{"Error": {"HResult": "0x80240016", "Message": "..."}}
//	{"Error": {"Unknown": "f39d68ab-..."}}   the agent does not know this update
//
// Boot and Start are numbers of the registry, and Changing says that a script that changes the device is still at work. What could not be read is left out, and is unknown. Anything else is an error.
//
// The agent lets a program of the device download and install, and refuses one that has come in over the network (Microsoft's
// documentation, "Using WUA From a Remote Computer"): with E_ACCESSDENIED, which is [patch.Permanent]. Commands should run as the service
// of a product on the device does.
package powershell

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/source"
	search "github.com/patchflow/patchflow/providers/source/wua"
	"github.com/patchflow/patchflow/providers/transport"
)

//go:embed *.ps1
var scripts embed.FS

// maxAnswer is how long an answer may be, in bytes: that of a device on which thousands of updates are installed.
const maxAnswer = 64 << 20

// Config says how a device is reached. To must be set.
type Config struct {
	To transport.Transport

	// Name is by which the agent's own log calls this program; "" means "patchflow".
	Name string

	// RestartWith is the command that restarts the device; nil means shutdown.exe, at once, as planned for an update.
	RestartWith []string
}

// An Agent is the Windows Update Agent of a device. It is safe for concurrent use. Installing, removing and restarting need the rights
// of an administrator.
type Agent struct {
	cfg            Config
	looks, changes []string // commands
}

var _ wua.Agent = (*Agent)(nil)

// New returns the agent of c. It does nothing yet. The error names the field at fault.
func New(c Config) (*Agent, error) {
	if c.To == nil {
		return nil, errors.New("powershell: config: To is nil")
	}
	if c.Name == "" {
		c.Name = "patchflow"
	}
	if c.RestartWith == nil {
		c.RestartWith = []string{"shutdown.exe", "/r", "/t", "0", "/d", "p:2:17"}
	}
	a := &Agent{cfg: c}
	a.looks, a.changes = Commands()
	return a, nil
}

// Commands returns the commands that all calls but Restart run: one that looks, and one that changes the device. They are always the same,
// shorter than the 8191 characters that cmd.exe passes on, with room for what a transport puts before them, and hold nothing that a shell
// of Windows would change.
func Commands() (looks, changes []string) {
	return argv("look.ps1"), argv("change.ps1")
}

// argv returns the command of a script, before which stands what both begin with.
func argv(name string) []string {
	var script string
	for _, file := range []string{"common.ps1", name} {
		text, err := scripts.ReadFile(file)
		if err != nil {
			panic(err) // they are built in
		}
		script += string(text)
	}
	return []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", encode(pack(script))}
}

// pack leaves out what a script has for readers only: blanks at the margins, and lines of comment.
func pack(script string) string {
	var lines []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// encode writes a script as -EncodedCommand wants it: UTF-16, the low byte first, in base64.
func encode(script string) string {
	var text []byte
	for _, u := range utf16.Encode([]rune(script)) {
		text = append(text, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(text)
}

// A request is what the scripts read.
type request struct {
	Op       string   `json:"op"` // search, download, install, uninstall, system
	Name     string   `json:"name"`
	Criteria string   `json:"criteria,omitempty"`
	Updates  []string `json:"updates,omitempty"`
	Accept   bool     `json:"accept,omitempty"`
}

// ask runs one of the scripts. The answer is one for r's op, without an error in it.
func (a *Agent) ask(ctx context.Context, r request) (*answer, error) {
	argv := a.changes
	if r.Op == "search" || r.Op == "system" {
		argv = a.looks
	}
	r.Name = a.cfg.Name
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("powershell: %s: %w", r.Op, err)
	}
	res, err := a.cfg.To.Run(ctx, transport.Command{Argv: argv, Stdin: append(ascii(text), '\n'), MaxStdout: maxAnswer})
	switch {
	case err != nil:
	case !res.OK():
		err = desk.Failed(res)
	case res.StdoutCut > 0:
		err = fmt.Errorf("the answer is longer than %d bytes: %w", maxAnswer, patch.ErrPermanent)
	}
	if err != nil {
		return nil, fmt.Errorf("powershell: %s: %w", r.Op, err)
	}
	said, err := readAnswer(r, res.Stdout)
	if err != nil {
		return nil, fmt.Errorf("powershell: %s: %w", r.Op, err)
	}
	return said, nil
}

// ascii writes JSON without any other character, whatever the code page of the device.
func ascii(text []byte) []byte {
	var b []byte
	for _, r := range string(text) {
		if r < 0x7f {
			b = append(b, byte(r))
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			b = fmt.Appendf(b, `\u%04x`, u)
		}
	}
	return b
}

// Search implements [wua.Agent].
func (a *Agent) Search(ctx context.Context, criteria string) (search.Result, error) {
	said, err := a.ask(ctx, request{Op: "search", Criteria: criteria})
	if err != nil {
		return search.Result{}, err
	}
	return search.Read(bytes.NewReader(said.Search), source.Limits{})
}

// Download implements [wua.Agent].
func (a *Agent) Download(ctx context.Context, updates []string) (wua.Outcome, error) {
	return a.change(ctx, request{Op: "download", Updates: updates})
}

// Install implements [wua.Agent]. It waits for the end whatever becomes of ctx: an installation cannot be broken off.
func (a *Agent) Install(ctx context.Context, updates []string, accept bool) (wua.Outcome, error) {
	return a.last(ctx, request{Op: "install", Updates: updates, Accept: accept})
}

// Uninstall implements [wua.Agent]. It waits for the end as Install does.
func (a *Agent) Uninstall(ctx context.Context, updates []string) (wua.Outcome, error) {
	return a.last(ctx, request{Op: "uninstall", Updates: updates})
}

func (a *Agent) last(ctx context.Context, r request) (wua.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return wua.Outcome{}, fmt.Errorf("powershell: %s: %w", r.Op, err)
	}
	return a.change(context.WithoutCancel(ctx), r)
}

func (a *Agent) change(ctx context.Context, r request) (wua.Outcome, error) {
	for _, id := range r.Updates {
		if err := wua.CheckID(patch.ID("wua:" + id)); err != nil { // it goes into a query
			return wua.Outcome{}, err
		}
	}
	said, err := a.ask(ctx, r)
	if err != nil {
		return wua.Outcome{}, err
	}
	return said.Outcome.read(), nil
}

// System implements [wua.Agent]. The boot is what the registry counts as BootId, in the words of package com; a device that does not
// count has none, and its restarts cannot be proved.
func (a *Agent) System(ctx context.Context) (wua.System, error) {
	said, err := a.ask(ctx, request{Op: "system"})
	if err != nil {
		return wua.System{}, err
	}
	return said.System.read(), nil
}

// Restart implements [wua.Agent].
func (a *Agent) Restart(ctx context.Context) error {
	res, err := a.cfg.To.Run(ctx, transport.Command{Argv: a.cfg.RestartWith})
	if err == nil && !res.OK() {
		err = desk.Failed(res)
	}
	if err != nil {
		return fmt.Errorf("powershell: restart: %w", err)
	}
	return nil
}
