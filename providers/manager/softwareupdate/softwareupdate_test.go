package softwareupdate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/softwareupdate"
	"github.com/patchflow/patchflow/providers/transport"
)

func scanner(t *testing.T, p *replay.Player, cached bool) *softwareupdate.Scanner {
	t.Helper()
	s, err := softwareupdate.New(softwareupdate.Config{Cached: cached, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (transport.Transport, error) {
		return p, nil
	}})
	require.NoError(t, err)
	return s
}

func TestScan(t *testing.T) {
	p := replay.Load(t, "testdata/device.txt")
	d := inventory.Device{Tenant: replay.Tenant, ID: replay.Device}
	for _, row := range []struct {
		state   string
		status  inventory.Status
		missing []patch.ID
		detail  string
	}{
		{"offers", inventory.Complete, []patch.ID{"softwareupdate:Command Line Tools for Xcode 26.5-26.5", "softwareupdate:Safari27.0TahoeAuto-27.0", "sofa:macOS/26.7", "sofa:macOS/26.3.1(a)", "sofa:macOS/27"}, ""},
		{"nothing", inventory.Complete, nil, ""},
		{"torn", inventory.Partial, []patch.ID{"softwareupdate:Fine-2.0"}, "Odd-1"},
		{"offline", inventory.Failed, nil, "not connected"},
		{"silent", inventory.Failed, nil, "no list of updates"},
		{"cached", inventory.Complete, nil, ""},
	} {
		p.Become(row.state)
		s, err := scanner(t, p, row.state == "cached").Scan(t.Context(), d)
		require.NoError(t, err, row.state)
		require.Equal(t, row.missing, s.Missing, row.state)
		require.Equal(t, row.status, s.Coverage[0].Status, row.state)
		require.Contains(t, s.Coverage[0].Detail, row.detail)
		require.True(t, s.Coverage[0].Judges)
		require.Equal(t, "26.3.1", s.Software[0].Version.Text)
		require.Equal(t, "6E1D7B0C-boot-1", s.BootID)
		require.Equal(t, patch.Unknown, s.PendingReboot)
	}
	p.Become("beta")
	_, err := scanner(t, p, false).Scan(t.Context(), d)
	require.Equal(t, patch.Corrupt, patch.FaultOf(err))
}

func TestADeviceThatIsAway(t *testing.T) {
	_, err := softwareupdate.New(softwareupdate.Config{})
	require.ErrorContains(t, err, "Reach")
	s, err := softwareupdate.New(softwareupdate.Config{Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (transport.Transport, error) {
		return nil, errors.New("no route")
	}})
	require.NoError(t, err)
	_, err = s.Scan(t.Context(), inventory.Device{ID: "ada"})
	require.Equal(t, patch.Unreachable, patch.FaultOf(err))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("* Label: Safari-1\n\tTitle: Safari, Version: 27.0, Size: 1KiB,\n"))
	f.Add([]byte("No new software available.\n* x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		updates, _, err := softwareupdate.Read(text)
		if err != nil {
			require.Empty(t, updates)
		}
		for _, u := range updates {
			require.NotEmpty(t, u.Label)
			require.NotEmpty(t, u.Version)
		}
	})
}

func ExampleRead() {
	updates, _, err := softwareupdate.Read([]byte("* Label: macOS Tahoe 26.7-25G229\n\tTitle: macOS Tahoe 26.7, Version: 26.7, Size: 2960000KiB, Recommended: YES, Action: restart,\n"))
	fmt.Println(updates[0].ID(), updates[0].Restart, err)
	// Output: sofa:macOS/26.7 true <nil>
}
