package windows

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// healthy are keys of a device that has nothing to do, as reg.exe prints them.
func healthy() map[string]string {
	return map[string]string{
		current:  list(current, "", "Component Based Servicing", "WindowsUpdate", "Installer", "Uninstall"),
		prefetch: list(prefetch, "    BootId    REG_DWORD    0x1f\r\n"),
		session:  list(session, "    GlobalFlag    REG_DWORD    0x0\r\n", "Memory Management"),

		current + `\Component Based Servicing`: list(current+`\Component Based Servicing`, "    Version    REG_SZ    10.0\r\n", "Packages"),
		current + `\WindowsUpdate`:             list(current+`\WindowsUpdate`, "", "Auto Update"),
		current + `\WindowsUpdate\Auto Update`: list(current+`\WindowsUpdate\Auto Update`, ""),
		current + `\Installer`:                 list(current+`\Installer`, "", "Folders", "UpgradeCodes"),
		names:                                  called("ada"),
	}
}

// called are the names of a computer that becomes another one's with the next boot.
func called(name string) string {
	return list(names, "") + list(names+`\ActiveComputerName`, "    ComputerName    REG_SZ    ADA\r\n") +
		list(names+`\ComputerName`, "    (Standard)    REG_SZ    mnmsrvc\r\n    ComputerName    REG_SZ    "+name+"\r\n")
}

func list(path, values string, keys ...string) string {
	full := strings.Replace(path, "HKLM", "HKEY_LOCAL_MACHINE", 1)
	text := "\r\n" + full + "\r\n" + values + "\r\n"
	for _, k := range keys {
		text += full + `\` + k + "\r\n"
	}
	return text
}

// played runs reg.exe on a device that has these keys.
func played(keys map[string]string) Run {
	return func(_ context.Context, c transport.Command) (transport.Result, error) {
		if text, ok := keys[c.Argv[2]]; ok {
			return transport.Result{Ended: true, Stdout: []byte(text)}, nil
		}
		return transport.Result{Ended: true, Code: 1, Stderr: []byte("FEHLER: Zugriff verweigert oder nicht vorhanden\r\n")}, nil
	}
}

func TestStateByRegistry(t *testing.T) {
	for name, row := range map[string]struct {
		change           func(keys map[string]string)
		boot             string
		restart, install patch.Tri
	}{
		"nothing to do": {func(map[string]string) {}, "31", patch.No, patch.No},
		"servicing": {func(k map[string]string) {
			at := current + `\Component Based Servicing`
			k[at] = list(at, "", "Packages", "RebootPending")
		}, "31", patch.Yes, patch.No},
		"windows update": {func(k map[string]string) {
			at := current + `\WindowsUpdate\Auto Update`
			k[at] = list(at, "", "RebootRequired")
		}, "31", patch.Yes, patch.No},
		"files to be replaced": {func(k map[string]string) {
			k[session] = list(session, "    PendingFileRenameOperations    REG_MULTI_SZ    \\??\\C:\\a\\0\\0\r\n")
		}, "31", patch.Yes, patch.No},
		"another name": {func(k map[string]string) {
			k[names] = called("BEA")
		}, "31", patch.Yes, patch.No},
		"an installation": {func(k map[string]string) { k[current+`\Installer`] = list(current+`\Installer`, "", "InProgress") }, "31", patch.No, patch.Yes},
		"no windows update at all": {func(k map[string]string) {
			k[current] = list(current, "", "Component Based Servicing", "Installer")
			delete(k, current+`\WindowsUpdate`)
			delete(k, current+`\WindowsUpdate\Auto Update`)
		}, "31", patch.No, patch.No},
		"keys that may not be read": {func(k map[string]string) {
			delete(k, current+`\WindowsUpdate\Auto Update`)
			delete(k, current+`\Installer`)
		}, "31", patch.Unknown, patch.Unknown},
		"one that may not be read beside a sign": {func(k map[string]string) {
			delete(k, current+`\WindowsUpdate\Auto Update`)
			k[session] = list(session, "    PendingFileRenameOperations    REG_MULTI_SZ    x\r\n")
		}, "31", patch.Yes, patch.No},
		"the session may not be read": {func(k map[string]string) { delete(k, session) }, "31", patch.Unknown, patch.No},
		"a name that is not told": {func(k map[string]string) {
			k[names] = list(names+`\ComputerName`, "    ComputerName    REG_SZ    ADA\r\n")
		}, "31", patch.Unknown, patch.No},
		"boots are not counted": {func(k map[string]string) { delete(k, prefetch) }, "", patch.No, patch.No},
		"nothing may be read":   {func(k map[string]string) { clear(k) }, "", patch.Unknown, patch.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			keys := maps.Clone(healthy())
			row.change(keys)
			s, err := OpenRegistry(played(keys)).State(t.Context())
			require.NoError(t, err)
			require.Equal(t, row.boot, s.Boot)
			require.Equal(t, row.restart, s.Due())
			require.Equal(t, row.install, (&System{Restart: s.Installing}).Due())
		})
	}
}

func TestARegistryThatDoesNotAnswer(t *testing.T) {
	for name, row := range map[string]struct {
		res  transport.Result
		err  error
		want patch.Fault
	}{
		"it is out of reach":     {err: patch.ErrUnreachable, want: patch.Unreachable},
		"there is no reg.exe":    {res: transport.Result{Ended: true, Code: 127}, want: patch.Permanent},
		"it was killed":          {res: transport.Result{Ended: true, Code: 1, Signal: "killed"}, want: patch.Transient},
		"nobody knows its end":   {res: transport.Result{Code: 1}, want: patch.Transient},
		"it says something else": {res: transport.Result{Ended: true, Stdout: []byte("hello\r\n")}, want: patch.Corrupt},
		"another key":            {res: transport.Result{Ended: true, Stdout: []byte("HKEY_LOCAL_MACHINE\\SOFTWARE\\Other\r\n")}, want: patch.Corrupt},
		"it is cut off":          {res: transport.Result{Ended: true, StdoutCut: 1}, want: patch.Permanent},
	} {
		_, err := OpenRegistry(func(context.Context, transport.Command) (transport.Result, error) { return row.res, row.err }).State(t.Context())
		require.Error(t, err, name)
		require.Equal(t, row.want, patch.FaultOf(err), "%s: %v", name, err)
	}
}

func FuzzReadKey(f *testing.F) {
	f.Add([]byte(healthy()[session]))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := readKey(session, text)
		if err == nil && len(text) == 0 && len(k.Keys)+len(k.Values) > 0 {
			t.Fatal("of nothing comes something")
		}
		for _, name := range k.Keys {
			if strings.Contains(name, "\n") {
				t.Fatalf("%q is no key", name)
			}
		}
	})
}

func TestBelow(t *testing.T) {
	at := current + `\Uninstall`
	tree := "\r\n" + list(at, "    (Default)    REG_SZ    x\r\n") + list(at+`\{A}`, "    DisplayName    REG_SZ    Lamp    of Acme\r\n    Note    REG_MULTI_SZ    one\r\nDisplayName\r\n") +
		list(at+`\{A}\deep`, "    DisplayName    REG_SZ    Oil\r\n    Only    REG_SZ    here\r\n") + list(at+`\{B}`, "")
	for name, row := range map[string]struct {
		keys  map[string]string
		there patch.Tri
		want  map[string]Key
	}{
		"some": {map[string]string{at: tree}, patch.Yes, map[string]Key{
			"{a}": {Values: map[string]string{"displayname": "Lamp    of Acme", "note": "one"}}, "{b}": {Values: map[string]string{}},
		}},
		"none":               {map[string]string{at: "\r\n"}, patch.Yes, map[string]Key{}},
		"there is no key":    {map[string]string{current: list(current, "", "Run")}, patch.No, nil},
		"it may not be read": {map[string]string{current: list(current, "", "Uninstall")}, patch.Unknown, nil},
	} {
		got, there, err := OpenRegistry32(played(row.keys)).Below(t.Context(), at)
		require.NoError(t, err, name)
		require.Equal(t, row.there, there, name)
		require.Equal(t, row.want, got, name)
	}
	_, there, err := OpenRegistry(played(map[string]string{at: "Zugriff verweigert"})).Below(t.Context(), at)
	require.ErrorIs(t, err, patch.ErrCorrupt)
	require.Equal(t, patch.Unknown, there)
	views := ""
	seen := func(_ context.Context, c transport.Command) (transport.Result, error) {
		views += strings.Join(c.Argv[3:], " ") + ";"
		return transport.Result{Ended: true}, nil
	}
	_, _, err = OpenRegistry(seen).Below(t.Context(), at)
	require.NoError(t, err)
	_, _, err = OpenRegistry32(seen).Below(t.Context(), at)
	require.NoError(t, err)
	require.Equal(t, "/s /reg:64;/s /reg:32;", views)
}

// registryOf writes the signs of a due restart into the registry of a Windows, looks, and takes them away again.
func registryOf(t *testing.T, run func(argv ...string) transport.Result) {
	state := func() System {
		t.Helper()
		s, err := OpenRegistry(func(_ context.Context, c transport.Command) (transport.Result, error) { return run(c.Argv...), nil }).State(t.Context())
		require.NoError(t, err)
		return s
	}
	reg := func(argv ...string) {
		t.Helper()
		require.Zero(t, run(append([]string{"reg.exe"}, argv...)...).Code, "%q", argv)
	}
	s := state()
	require.Equal(t, patch.No, s.Due())
	require.False(t, *s.Installing)
	require.Empty(t, s.Boot, "wine counts no boots")
	for _, path := range []string{pending, required} {
		reg("add", path, "/f")
		s = state()
		require.Equal(t, patch.Yes, s.Due(), path)
		reg("delete", path, "/f")
		s = state()
		require.Equal(t, patch.No, s.Due(), path)
	}
	for _, value := range [][]string{{session, "PendingFileRenameOperations", "REG_MULTI_SZ"}, {names + `\ActiveComputerName`, "ComputerName", "REG_SZ"}} {
		old, _, err := OpenRegistry(func(_ context.Context, c transport.Command) (transport.Result, error) { return run(c.Argv...), nil }).Key(t.Context(), value[0])
		require.NoError(t, err)
		reg("add", value[0], "/v", value[1], "/t", value[2], "/d", "another", "/f")
		s = state()
		require.Equal(t, patch.Yes, s.Due(), value)
		if was, ok := old.Values[strings.ToLower(value[1])]; ok {
			reg("add", value[0], "/v", value[1], "/t", value[2], "/d", was, "/f")
		} else {
			reg("delete", value[0], "/v", value[1], "/f")
		}
		s = state()
		require.Equal(t, patch.No, s.Due(), value)
	}
	reg("add", progress, "/f")
	reg("add", prefetch, "/v", "BootId", "/t", "REG_DWORD", "/d", "31", "/f")
	s = state()
	require.True(t, *s.Installing)
	require.Equal(t, "31", s.Boot)
}
