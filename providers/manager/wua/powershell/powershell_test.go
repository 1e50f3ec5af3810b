package powershell

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/manager/wua/internal/fake"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func TestConformance(t *testing.T) {
	fake.Conformance(t, []patch.ID{"wua:" + cumulative, "msrc:KB890830"}, machine, func(t *testing.T, m *fake.Machine) wua.Agent {
		return open(t, &player{m: m})
	})
}

func install(t *testing.T, d *wua.Device, n int, ids ...patch.ID) rollout.Report {
	t.Helper()
	r, err := d.Deploy(t.Context(), rollout.Task{ID: rollout.TaskID(fmt.Sprint("acme:q1/test/ada/install/", n)), Tenant: fake.Tenant, Device: fake.Device,
		Op: rollout.OpInstall, Content: fake.Content(ids...)})
	require.NoError(t, err)
	return r
}

func TestADeviceIsPatchedByCommands(t *testing.T) {
	m := machine()
	m.Find(cumulative).Restart = true
	p := &player{m: m}
	a := open(t, p)
	d := fake.Open(t, wua.Config{Agent: a})
	r := install(t, d, 1, "msrc:KB5025239")
	require.Equal(t, rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.Yes}, r)
	require.Equal(t, `{"op":"install","name":"patchflow","updates":["`+cumulative+`"]}`+"\n", p.asked[len(p.asked)-1])
	require.NoError(t, a.Restart(t.Context()))
	s, err := a.System(t.Context())
	require.NoError(t, err)
	require.Equal(t, wua.System{BootID: "32", RebootRequired: patch.No, BeforeInstall: patch.No, BusyInstalling: patch.No}, s)
	found, err := a.Search(t.Context(), "IsInstalled=1")
	require.NoError(t, err)
	require.Equal(t, "Kumulatives Update für Ω", found.Updates[0].Title)
	p.busy = true
	require.Equal(t, patch.Busy, install(t, d, 2, "wua:"+tool).Fault, "an older script is still at work")
	for _, in := range p.asked {
		require.Less(t, strings.Trim(in, "\n"), "\x7f", "%q", in)
	}
}

func TestFaults(t *testing.T) {
	for name, row := range map[string]struct {
		set  func(p *player, u *fake.Update)
		want patch.Fault
		says string
	}{
		"store":       {func(_ *player, u *fake.Update) { u.InstallFails = 0x80073712 }, patch.Corrupt, "ERROR_SXS_COMPONENT_STORE_CORRUPT"},
		"disk":        {func(_ *player, u *fake.Update) { u.DownloadFails = 0x80070070 }, patch.DiskFull, "ERROR_DISK_FULL"},
		"new code":    {func(_ *player, u *fake.Update) { u.InstallFails = 0x80241234 }, patch.Transient, "0x80241234"},
		"disabled":    {func(p *player, _ *fake.Update) { p.m.Disabled = true }, patch.Permanent, "0x80070422 (ERROR_SERVICE_DISABLED)"},
		"cut":         {func(p *player, _ *fake.Update) { p.m.Cut = true }, patch.Unreachable, "search"},
		"no answer":   {func(p *player, _ *fake.Update) { p.spoil = func([]byte) []byte { return []byte("Hallo") } }, patch.Transient, `"Hallo" is no answer`},
		"half of one": {func(p *player, _ *fake.Update) { p.spoil = func(b []byte) []byte { return b[:len(b)/2] } }, patch.Transient, "is no answer"},
		"two of them": {func(p *player, _ *fake.Update) { p.spoil = func(b []byte) []byte { return append(b, b...) } }, patch.Transient, "is no answer"},
		"a code that nobody knows": {func(p *player, _ *fake.Update) {
			p.spoil = func(b []byte) []byte {
				return []byte(strings.ReplaceAll(string(b), `"ResultCode":2,"UpdateID"`, `"ResultCode":7,"UpdateID"`))
			}
		}, patch.Transient, "the agent's result is 7"},
		"it was not begun": {func(p *player, _ *fake.Update) {
			p.spoil = func(b []byte) []byte {
				return []byte(strings.ReplaceAll(string(b), `"ResultCode":2,"UpdateID"`, `"ResultCode":0,"UpdateID"`))
			}
		}, patch.Transient, "the agent's result is 0"},
		"another update": {func(p *player, _ *fake.Update) {
			p.spoil = func(b []byte) []byte {
				return []byte(strings.ReplaceAll(string(b), `"UpdateID":"`+cumulative+`"}],"HR`, `"UpdateID":"`+tool+`"}],"HR`))
			}
		}, patch.Transient, "want " + cumulative},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			p := &player{m: m}
			row.set(p, m.Find(cumulative))
			r := install(t, fake.Open(t, wua.Config{Agent: open(t, p)}), 1, "wua:"+cumulative)
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, row.want, r.Fault, r.Message)
			require.Contains(t, r.Message, row.says)
		})
	}
}

// How a command may end that gives no answer at all.
func TestCommandsThatFail(t *testing.T) {
	for name, row := range map[string]struct {
		res  transport.Result
		err  error
		want patch.Fault
		says string
	}{
		"there is no powershell": {res: transport.Result{Ended: true, Code: 127}, want: patch.Permanent, says: "exit code 127"},
		"it ends badly":          {res: transport.Result{Ended: true, Code: 1, Stdout: []byte(`{"System":{"Boot":1}}`), Stderr: []byte("#< CLIXML\r\nWas?")}, want: patch.Transient, says: "Was?"},
		"nobody saw its end":     {res: transport.Result{Stdout: []byte(`{"System":{"Boot":1}}`)}, want: patch.Transient, says: "no end seen"},
		"its answer is cut":      {res: transport.Result{Ended: true, Stdout: []byte(`{"System":{"Boot":1}}`), StdoutCut: 1}, want: patch.Permanent, says: "longer than"},
		"the line is dead":       {err: transport.ErrUnknownOutcome, want: patch.Transient, says: "not known"},
	} {
		a, err := New(Config{To: transport.Func(func(context.Context, transport.Command) (transport.Result, error) { return row.res, row.err })})
		require.NoError(t, err)
		_, err = a.System(t.Context())
		require.ErrorContains(t, err, row.says, name)
		require.Equal(t, row.want, patch.FaultOf(err), name)
		_, err = a.Install(t.Context(), []string{cumulative}, false)
		require.Error(t, err, name)
		if err := a.Restart(t.Context()); row.err != nil || !row.res.OK() {
			require.ErrorContains(t, err, "restart", name)
		}
	}
}

func TestWhatNeverReachesADevice(t *testing.T) {
	p := &player{m: machine()}
	a := open(t, p)
	for _, id := range []string{"", "*", strings.ToUpper(cumulative), cumulative + "' or IsInstalled=0 or UpdateID='", cumulative + "\n"} {
		_, err := a.Install(t.Context(), []string{tool, id}, false)
		require.ErrorIs(t, err, patch.ErrPermanent, "%q", id)
		_, err = a.Download(t.Context(), []string{id})
		require.ErrorIs(t, err, patch.ErrPermanent, "%q", id)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Install(over, []string{tool}, false)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, p.asked)
}

func TestConfig(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "To")
	var ran []string
	var in string
	a, err := New(Config{Name: "Büro 😀", RestartWith: []string{"reboot-later.exe"}, To: transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
		ran, in = c.Argv, string(c.Stdin)
		return transport.Result{Ended: true}, nil
	})})
	require.NoError(t, err)
	require.NoError(t, a.Restart(t.Context()))
	require.Equal(t, []string{"reboot-later.exe"}, ran)
	_, err = a.System(t.Context())
	require.ErrorContains(t, err, "is no answer")
	require.Equal(t, `{"op":"system","name":"B\u00fcro \ud83d\ude00"}`+"\n", in)
}

func TestAnswers(t *testing.T) {
	ask := func(op string) request { return request{Op: op, Updates: []string{tool}} }
	each := func(rest string) string { return `{"Outcome":{"ResultCode":2,"HResult":0,"Each":[` + rest + `]}}` }
	one := `{"UpdateID":"` + tool + `","ResultCode":2,"HResult":0}`
	for text, want := range map[string]struct {
		r    request
		says string // "" if it is one
	}{
		"\ufeff" + each(one) + "\r\n": {ask("install"), ""},
		each(``):                      {ask("install"), "about 0 updates, want 1"},
		each(one + "," + one):         {ask("install"), "about 2 updates, want 1"},
		each(`{"UpdateID":"` + tool + `","HResult":0}`):                         {ask("install"), "lacks ResultCode"},
		each(`{"UpdateID":"` + tool + `","ResultCode":2}`):                      {ask("install"), "lacks ResultCode or HResult"},
		each(`{"UpdateID":"` + tool + `","ResultCode":4294967298,"HResult":0}`): {ask("install"), "ResultCode is 4294967298"},
		each(`{"UpdateID":"` + tool + `","ResultCode":2,"HResult":4294967296}`): {ask("install"), "HResult is 4294967296"},
		each(`{"UpdateID":"` + tool + `","ResultCode":"2","HResult":0}`):        {ask("install"), "is no answer"},
		`{"Outcome":{"HResult":0,"Each":[` + one + `]}}`:                        {ask("install"), "lacks ResultCode"},
		`{"Outcome":null}`:     {ask("uninstall"), "no outcome"},
		`{}`:                   {ask("search"), "no search"},
		`{"Search":null}`:      {ask("search"), "no search"},
		`{"Search":[]}`:        {ask("search"), "no search"},
		`{"System":{}}`:        {ask("install"), "no outcome"},
		`{"Outcome":{}}`:       {ask("system"), "how the device stands"},
		`{"System":{}, "x":1}`: {ask("system"), ""},
		`[]`:                   {ask("system"), "is no answer"},
		``:                     {ask("system"), "is no answer"},
		`{"System":{},"Error":{"HResult":"0x80240016","Message":"no\nnever"}}`: {ask("system"), `"no\nnever": 0x80240016 (WU_E_INSTALL_NOT_ALLOWED)`},
		`{"Error":{"HResult":"0x00000000","Message":"x"}}`:                     {ask("system"), `"x": HResult "0x00000000"`},
		`{"Error":{}}`:                         {ask("system"), `"": HResult ""`},
		`{"Error":{"Unknown":"` + tool + `"}}`: {ask("install"), "does not know update " + `"` + tool},
		`{"Error":{"HResult":"0x80070005","Message":"` + strings.Repeat("a", 999) + `"}}`: {ask("install"), "E_ACCESSDENIED"},
	} {
		_, err := readAnswer(want.r, []byte(text))
		if want.says == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want.says, text)
		require.Less(t, len(err.Error()), 600)
	}
}

func TestWhatASystemDoesNotSayIsUnknown(t *testing.T) {
	yes, no := true, false
	boot, start := int64(-1), int64(disabled)
	for _, row := range []struct {
		s    system
		want wua.System
	}{
		{system{}, wua.System{}},
		{system{Boot: &boot, Start: &start, RebootRequired: &yes}, wua.System{BootID: "4294967295", RebootRequired: patch.Yes, ServiceDisabled: true}},
		{system{IsBusy: &no}, wua.System{}},
		{system{Changing: &no}, wua.System{}},
		{system{Changing: &yes}, wua.System{BusyInstalling: patch.Yes}},
		{system{IsBusy: &yes, Changing: &no}, wua.System{BusyInstalling: patch.Yes}},
		{system{IsBusy: &no, Changing: &no, RebootRequiredBeforeInstallation: &no}, wua.System{BusyInstalling: patch.No, BeforeInstall: patch.No}},
	} {
		require.Equal(t, row.want, row.s.read())
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add("install", []byte(`{"Outcome":{"ResultCode":2,"HResult":-2145124329,"RebootRequired":true,"Each":[{"UpdateID":"`+tool+`","ResultCode":2,"HResult":0}]}}`))
	f.Add("system", []byte(`{"System":{"Boot":31,"Start":3,"IsBusy":false}}`))
	f.Add("search", []byte(`{"Search":{"ResultCode":2,"Updates":[]}}`))
	f.Add("install", []byte(`{"Error":{"HResult":"0x80240016","Message":"x"}}`))
	f.Fuzz(func(t *testing.T, op string, text []byte) {
		a, err := readAnswer(request{Op: op, Updates: []string{tool}}, text)
		switch {
		case err != nil:
			require.Nil(t, a)
			require.Less(t, len(err.Error()), 4000)
		case op == "search":
			require.NotEmpty(t, a.Search)
		case op == "system":
			a.System.read()
		default:
			o := a.Outcome.read()
			require.Len(t, o.Each, 1)
			require.Equal(t, tool, o.Each[0].UpdateID, "nothing is said of what was asked for")
		}
	})
}
