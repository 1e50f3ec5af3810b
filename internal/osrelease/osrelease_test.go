package osrelease_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/osrelease"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"":                                  {},
		"ID=debian\nVERSION_ID=\"12\"\n":    {"ID": "debian", "VERSION_ID": "12"},
		"# ID=x\n  ID='rocky'  \r\nOTHER=1": {"ID": "rocky"},
		"ID=a\nID=b":                        {"ID": "b"},
		"ID\nID=\nVERSION_ID=\"\n":          {"ID": "", "VERSION_ID": `"`},
		"VERSION_ID=\"a=b\"":                {"VERSION_ID": "a=b"},
	} {
		got, err := osrelease.Read(strings.NewReader(text), "ID", "VERSION_ID")
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	broken := errors.New("broken")
	_, err := osrelease.Read(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	_, err = osrelease.Read(strings.NewReader("ID=" + strings.Repeat("x", 1<<20)))
	require.ErrorContains(t, err, "os-release: ")
	_, err = osrelease.Read(strings.NewReader(strings.Repeat("ID=x\n", 1<<20)))
	require.ErrorContains(t, err, "more than 65536 bytes")
}

func FuzzRead(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := osrelease.Read(strings.NewReader(text), "ID")
		if err != nil {
			return
		}
		value, found := got["ID"]
		require.Equal(t, found, len(got) == 1)
		require.NotContains(t, value, "\n")
		require.Contains(t, text, value)
	})
}
