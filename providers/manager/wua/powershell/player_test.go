package powershell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/manager/wua/internal/fake"
	"github.com/patchflow/patchflow/providers/transport"
)

const (
	cumulative = "f39d68ab-1519-4df8-85c1-d985be7f49c3"
	tool       = "11111111-2222-4333-8444-555555555555"
)

func machine() *fake.Machine {
	return &fake.Machine{Boot: 31, Updates: []*fake.Update{
		{ID: cumulative, KB: "5025239", Title: "Kumulatives Update für Ω"},
		{ID: tool, KB: "890830", Title: "Removal Tool"},
	}}
}

// A player is a device that answers as the scripts do, by what a machine does. It runs no PowerShell.
type player struct {
	t     *testing.T
	m     *fake.Machine
	asked []string            // what has come in by the standard input
	spoil func([]byte) []byte // changes answers
	busy  bool                // a script that changes the device is still at work
}

func open(t *testing.T, p *player) *Agent {
	p.t = t
	a, err := New(Config{To: p})
	require.NoError(t, err)
	return a
}

// Run implements [transport.Transport].
func (p *player) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	if err := errors.Join(c.Check(), ctx.Err()); err != nil {
		return transport.Result{}, err
	}
	if c.Argv[0] == "shutdown.exe" {
		return transport.Result{Ended: true}, p.m.Restart(ctx)
	}
	looks, changes := Commands()
	var r request
	in := json.NewDecoder(bytes.NewReader(c.Stdin))
	in.DisallowUnknownFields()
	err := in.Decode(&r)
	switch look := r.Op == "search" || r.Op == "system"; {
	case err != nil || r.Name == "" || len(bytes.TrimSpace(c.Stdin)) != len(c.Stdin)-1:
		p.t.Errorf("%q is no request in one line: %v", c.Stdin, err)
	case look && !slices.Equal(c.Argv, looks), !look && !slices.Equal(c.Argv, changes):
		p.t.Errorf("%s is asked of another script", r.Op)
	case c.MaxStdout == 0:
		p.t.Errorf("%s has an answer without bounds", r.Op)
	}
	p.asked = append(p.asked, string(c.Stdin))
	said, err := p.answer(ctx, r)
	var h wua.HRESULT
	switch {
	case errors.As(err, &h):
		said = map[string]any{"Error": map[string]any{"HResult": fmt.Sprintf("0x%08X", uint32(h)), "Message": "Ausnahme von HRESULT"}}
	case err != nil:
		return transport.Result{}, err
	}
	text, err := json.Marshal(said)
	require.NoError(p.t, err)
	text = ascii(text)
	if p.spoil != nil {
		text = p.spoil(text)
	}
	res := transport.Result{Ended: true, Stdout: text}
	if most, _ := c.Bounds(); len(text) > most {
		res.Stdout, res.StdoutCut = text[:most], int64(len(text)-most)
	}
	return res, nil
}

func (p *player) answer(ctx context.Context, r request) (map[string]any, error) {
	if p.m.Disabled && r.Op != "system" {
		return nil, wua.HRESULT(0x80070422)
	}
	for _, id := range r.Updates {
		known := false
		p.m.Do(func(m *fake.Machine) { known = m.Find(id) != nil })
		if !known {
			return map[string]any{"Error": map[string]any{"Unknown": id}}, nil
		}
	}
	switch r.Op {
	case "search":
		text, err := p.m.Answer(r.Criteria)
		return map[string]any{"Search": json.RawMessage(text)}, err
	case "system":
		s, err := p.m.System(ctx)
		start := 3
		if s.ServiceDisabled {
			start = disabled
		}
		yes := func(t patch.Tri) bool { return t == patch.Yes }
		return map[string]any{"System": map[string]any{"Boot": p.m.Boot, "Start": start, "RebootRequired": yes(s.RebootRequired),
			"RebootRequiredBeforeInstallation": yes(s.BeforeInstall), "IsBusy": yes(s.BusyInstalling), "Changing": p.busy}}, err
	}
	var o wua.Outcome
	var err error
	switch r.Op {
	case "download":
		o, err = p.m.Download(ctx, r.Updates)
	case "install":
		o, err = p.m.Install(ctx, r.Updates, r.Accept)
	case "uninstall":
		o, err = p.m.Uninstall(ctx, r.Updates)
	default:
		p.t.Errorf("no op: %s", r.Op)
	}
	each := []any{}
	for _, e := range o.Each {
		one := ends(e.Code, e.Result, e.Reboot)
		one["UpdateID"] = e.UpdateID
		each = append(each, one)
	}
	all := ends(o.Code, o.Result, o.Reboot)
	if r.Op == "download" {
		delete(all, "RebootRequired") // IDownloadResult has none
	}
	all["Each"] = each
	return map[string]any{"Outcome": all}, err
}

// ends writes codes as PowerShell does: with a sign.
func ends(code wua.ResultCode, result wua.HRESULT, reboot bool) map[string]any {
	return map[string]any{"ResultCode": code, "HResult": int32(uint32(result)), "RebootRequired": reboot}
}
