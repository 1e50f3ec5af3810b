package windows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/winetest"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// answer is what sc.exe prints, with these words before the numbers.
func answer(kind, state, n string) string {
	return "\r\nSERVICE_NAME: Spooler \r\n        " + kind + "               : 110  WIN32_OWN_PROCESS  (interactive)\r\n        " + state + "              : " + n +
		"  RUNNING \r\n                                (STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)\r\n        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
}

func TestReadService(t *testing.T) {
	said := func(text string) transport.Result { return transport.Result{Ended: true, Stdout: []byte(text)} }
	for name, row := range map[string]struct {
		res  transport.Result
		up   patch.Tri
		says string
	}{
		"it runs":                    {said(answer("TYPE", "STATE", "4")), patch.Yes, "Spooler is running"},
		"it runs, in another tongue": {said(answer("TYP", "ZUSTAND", "4")), patch.Yes, "Spooler is running"},
		"it is stopped":              {said(answer("TYPE", "STATE", "1")), patch.No, "Spooler is stopped"},
		"it is starting":             {said(answer("TYPE", "STATE", "2")), patch.No, "Spooler is starting"},
		"it is paused":               {said(answer("TYPE", "STATE", "7")), patch.No, "Spooler is paused"},
		"there is none": {transport.Result{Ended: true, Code: 1060, Stdout: []byte("[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n")},
			patch.No, "there is no service Spooler"},
		"it may not be asked": {transport.Result{Ended: true, Code: 5, Stdout: []byte("[SC] OpenService FAILED 5:\r\n\r\nAccess is denied.\r\n")},
			patch.Unknown, "Access is denied."},
		"there is no sc":             {transport.Result{Ended: true, Code: 127, Stderr: []byte("not found\n")}, patch.Unknown, "not found"},
		"it was killed":              {transport.Result{Ended: true, Code: 1060, Signal: "killed"}, patch.Unknown, "sc.exe"},
		"nobody knows how it ended":  {transport.Result{Code: 1060}, patch.Unknown, "sc.exe"},
		"nothing is said":            {said(""), patch.Unknown, "is not understood"},
		"a state that nobody knows":  {said(answer("TYPE", "STATE", "9")), patch.Unknown, "is not understood"},
		"a state of zero":            {said(answer("TYPE", "STATE", "0")), patch.Unknown, "is not understood"},
		"a state that is huge":       {said(answer("TYPE", "STATE", "ffffffffffffffffff")), patch.Unknown, "is not understood"},
		"the answer has only a kind": {said("        TYPE               : 4  X\r\n"), patch.Unknown, "is not understood"},
		"the answer is cut off":      {transport.Result{Ended: true, StdoutCut: 1, Stdout: []byte(answer("TYPE", "STATE", "4"))}, patch.Unknown, "is not understood"},
		"a name with numbers":        {said("SERVICE_NAME: 4\r\nDISPLAY_NAME: 4 4\r\n" + answer("TYPE", "STATE", "1")), patch.No, "Spooler is stopped"},
	} {
		up, says := ReadService("Spooler", row.res)
		require.Equal(t, row.up, up, name)
		require.Contains(t, says, row.says, name)
	}
}

func TestServiceNames(t *testing.T) {
	for _, name := range []string{"Spooler", "MSSQL$SQLEXPRESS", "W3SVC", "com.docker.service", "a-b_c", "1"} {
		require.True(t, serviceName(name), name)
	}
	for _, name := range []string{"", "-a", "/query", "\\\\server", "type=", "a b", "a\"b", "a&b", "a|b", "%PATH%", "a^b", "a\n", "ä", "$x", strings.Repeat("a", 257)} {
		require.False(t, serviceName(name), name)
	}
}

func FuzzReadService(f *testing.F) {
	f.Add([]byte(answer("TYPE", "STATE", "4")), 0)
	f.Fuzz(func(t *testing.T, text []byte, code int) {
		up, says := ReadService("Spooler", transport.Result{Ended: true, Code: code, Stdout: text})
		if up == patch.Yes && (code != 0 || says != "Spooler is running") {
			t.Fatalf("it is up, and %q with the code %d", says, code)
		}
	})
}

// A Windows of wine is asked by its own programs.
func TestUnderWine(t *testing.T) {
	w := winetest.Open(t)
	t.Run("services", func(t *testing.T) { servicesOf(t, w.Run) })
	t.Run("registry", func(t *testing.T) { registryOf(t, w.Run) })
	t.Run("lookups", func(t *testing.T) { lookupOf(t, w.Run) })
}

// servicesOf asks sc.exe for a service that is stopped, one that was started, and one that is not there.
func servicesOf(t *testing.T, run func(argv ...string) transport.Result) {
	up, says := ReadService("Spooler", run(Query("Spooler")...))
	require.Equal(t, patch.No, up, says)
	require.Equal(t, "Spooler is stopped", says)
	require.Eventually(t, func() bool {
		run("sc.exe", "start", "RpcSs") // it may run already, which is no success; or was too slow, and was stopped
		up, says = ReadService("RpcSs", run(Query("RpcSs")...))
		return up == patch.Yes
	}, 2*time.Minute, 100*time.Millisecond)
	require.Equal(t, "RpcSs is running", says)
	up, _ = ReadService("Nobody", run(Query("Nobody")...))
	require.Equal(t, patch.Unknown, up, "wine's sc does not say why it has failed")
}
