package windows

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/transport"
)

const till = `HKLM\SOFTWARE\Acme\Till`

// what reg.exe prints of a key with values of all kinds.
func tillKey() string {
	return list(till, "    (Standard)    REG_SZ    (kein Wert)\r\n    Version    REG_SZ    4.2\r\n    Two Words    REG_SZ    a    b\r\n    On    REG_DWORD    0x1f\r\n"+
		"    Big    REG_QWORD    0xffffffffffffffff\r\n    Odd    REG_DWORD    (?)\r\n    Who    REG_SZ    caf?\r\n    Text    REG_SZ    one\r\ntwo\r\n    Empty    REG_SZ    \r\n"+
		"    Many    REG_MULTI_SZ    a\\0b\r\n    Last    REG_SZ    z\r\n", "Below")
}

func TestLookup(t *testing.T) {
	is := func(value, data string) policy.RegistryCheck {
		return policy.RegistryCheck{Key: till, Value: value, Is: data, IsSet: true}
	}
	keys := map[string]string{till: tillKey(), `HKLM\SOFTWARE`: list(`HKLM\SOFTWARE`, "", "Acme", "Closed"), `HKLM\SOFTWARE\Acme`: list(`HKLM\SOFTWARE\Acme`, "", "Till"),
		`HKLM\SOFTWARE\Strange`: "Hallo\r\n"}
	for _, row := range []struct {
		c    policy.RegistryCheck
		want patch.Tri
		says string
	}{
		{policy.RegistryCheck{Key: till}, patch.Yes, "there is a key " + till},
		{policy.RegistryCheck{Key: `HKLM\SOFTWARE\Acme\Lamp`}, patch.No, `there is no key HKLM\SOFTWARE\Acme\Lamp`},
		{policy.RegistryCheck{Key: `HKLM\SOFTWARE\Acme\Lamp`, Value: "Version"}, patch.No, `there is no key HKLM\SOFTWARE\Acme\Lamp`},
		{policy.RegistryCheck{Key: `HKLM\SOFTWARE\Closed`}, patch.Unknown, `the key HKLM\SOFTWARE\Closed cannot be read`},
		{policy.RegistryCheck{Key: `HKLM\SOFTWARE\Closed\Deep`}, patch.Unknown, `the key HKLM\SOFTWARE\Closed\Deep cannot be read`},
		{policy.RegistryCheck{Key: `HKLM\SOFTWARE\Strange`}, patch.Unknown, "is no answer"},
		{policy.RegistryCheck{Key: till, Value: "version"}, patch.Yes, "the value version is there"},
		{policy.RegistryCheck{Key: till, Value: "Vers"}, patch.No, "the value Vers is not there"},
		{policy.RegistryCheck{Key: till, Value: "Below"}, patch.No, "is not there"},
		{is("Version", "4.2"), patch.Yes, "holds what it is to hold"},
		{is("Version", "4.20"), patch.No, "holds something else"},
		{is("Two Words", "a    b"), patch.Yes, "holds what"},
		{is("Two Words", "a"), patch.No, "something else"},
		{is("On", "31"), patch.Yes, "holds what"},
		{is("On", "0x1F"), patch.Yes, "holds what"},
		{is("On", "31 "), patch.No, "something else"},
		{is("On", "1"), patch.No, "something else"},
		{is("Big", "18446744073709551615"), patch.Yes, "holds what"},
		{is("Odd", "(?)"), patch.Unknown, "cannot be read"},
		{is("Who", "caf?"), patch.Unknown, "does not tell"},
		{is("Who", "cafe"), patch.No, "something else"},
		{is("Text", "one"), patch.Unknown, "several lines"},
		{is("Empty", ""), patch.Yes, "holds what"},
		{is("Empty", "x"), patch.No, "something else"},
		{is("Many", `a\0b`), patch.Yes, "holds what"},
		{is("Last", "z"), patch.Yes, "holds what"},
	} {
		up, says, err := Lookup(t.Context(), played(keys), row.c)
		require.NoError(t, err)
		require.Equal(t, row.want, up, "%+v: %s", row.c, says)
		require.Contains(t, says, row.says)
	}
}

func TestLookupOfADeviceThatDoesNotAnswer(t *testing.T) {
	c := policy.RegistryCheck{Key: till, View32: true}
	var argv []string
	with := func(res transport.Result, err error) (patch.Tri, string, error) {
		return Lookup(t.Context(), func(_ context.Context, c transport.Command) (transport.Result, error) {
			argv = c.Argv
			return res, err
		}, c)
	}
	_, _, err := with(transport.Result{}, patch.ErrUnreachable)
	require.ErrorIs(t, err, patch.ErrUnreachable)
	require.Equal(t, []string{"reg.exe", "query", till, "/reg:32"}, argv)
	for _, res := range []transport.Result{{Ended: true, Code: 127}, {}, {Ended: true, Stdout: []byte(tillKey()), StdoutCut: 1}} {
		up, says, err := with(res, nil)
		require.NoError(t, err)
		require.Equal(t, patch.Unknown, up)
		require.NotEmpty(t, says)
	}
}

func FuzzReadValue(f *testing.F) {
	f.Add("Version", "4.2", []byte(tillKey()))
	f.Add("Text", "one", []byte(tillKey()))
	f.Fuzz(func(t *testing.T, name, is string, text []byte) {
		v := readValue(name, text)
		up, _ := v.check(&policy.RegistryCheck{Key: till, Value: name, Is: is, IsSet: true})
		if up == patch.Yes && (v.kind == "" || v.more) {
			t.Fatalf("%q is said to hold %q", name, is)
		}
	})
}

// lookupOf writes values into the registry of a Windows and looks for them.
func lookupOf(t *testing.T, run func(argv ...string) transport.Result) {
	lookup := func(c policy.RegistryCheck) patch.Tri {
		t.Helper()
		up, says, err := Lookup(t.Context(), func(_ context.Context, c transport.Command) (transport.Result, error) { return run(c.Argv...), nil }, c)
		require.NoError(t, err)
		require.NotEmpty(t, says)
		return up
	}
	add := func(argv ...string) {
		t.Helper()
		require.Zero(t, run(append([]string{"reg.exe", "add", till}, argv...)...).Code)
	}
	require.Equal(t, patch.No, lookup(policy.RegistryCheck{Key: till}))
	add("/f", "/reg:64")
	require.Equal(t, patch.Yes, lookup(policy.RegistryCheck{Key: till}))
	require.Equal(t, patch.No, lookup(policy.RegistryCheck{Key: till, View32: true}), "programs of 32 bits have their own")
	for i, row := range [][3]string{{"REG_SZ", "4.2 of Acme", "4.2 of Acme"}, {"REG_DWORD", "31", "31"}, {"REG_DWORD", "31", "0x1f"}, {"REG_EXPAND_SZ", "%TEMP%", "%TEMP%"}} {
		c := policy.RegistryCheck{Key: till, Value: fmt.Sprint(row[0], " ", i)}
		require.Equal(t, patch.No, lookup(c))
		add("/v", c.Value, "/t", row[0], "/d", row[1], "/f", "/reg:64")
		require.Equal(t, patch.Yes, lookup(c))
		c.Is, c.IsSet = row[2], true
		require.Equal(t, patch.Yes, lookup(c), row)
		c.Is = "32"
		require.Equal(t, patch.No, lookup(c), row)
	}
}
