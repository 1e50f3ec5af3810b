package manager_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/manager/dnf"
	"github.com/patchflow/patchflow/providers/manager/flatpak"
	"github.com/patchflow/patchflow/providers/manager/pacman"
	"github.com/patchflow/patchflow/providers/manager/zypper"
	"github.com/patchflow/patchflow/providers/transport"
)

// A failure is how a real package manager has once ended (apt 2.6, dnf 4.14, flatpak 1.14, pacman 6.0, zypper 1.14 of Debian 12, on the devices of this
// library's tests; what they print about paths and processes of the machine is replaced), and what that means. The classes are
// people's, not the program's.
type failure struct {
	Manager string      `json:"manager"`
	Case    string      `json:"case"`
	Want    patch.Fault `json:"want"`
	Code    int         `json:"code"`
	Signal  string      `json:"signal,omitempty"`
	Stdout  string      `json:"stdout,omitempty"`
	Stderr  string      `json:"stderr,omitempty"`
}

func TestRecordedFailures(t *testing.T) {
	text, err := os.ReadFile("testdata/failures.json")
	require.NoError(t, err)
	var all []failure
	require.NoError(t, json.Unmarshal(text, &all))
	classify := map[string]func(transport.Result) error{"apt": apt.Classify, "dnf": dnf.Classify, "flatpak": flatpak.Classify, "pacman": pacman.Classify, "zypper": zypper.Classify}
	seen := make(map[string]bool)
	classes := make(map[string]map[patch.Fault]int)
	wrong := 0
	for _, f := range all {
		name := f.Manager + ": " + f.Case
		require.False(t, seen[name], "%s stands twice", name)
		seen[name] = true
		require.Contains(t, classify, f.Manager)
		err := classify[f.Manager](transport.Result{Ended: true, Code: f.Code, Signal: f.Signal, Stdout: []byte(f.Stdout), Stderr: []byte(f.Stderr)})
		if got := patch.FaultOf(err); got != f.Want {
			wrong++
			t.Errorf("%s is %s, want %s: %v", name, got, f.Want, err)
		}
		if classes[f.Manager] == nil {
			classes[f.Manager] = make(map[patch.Fault]int)
		}
		classes[f.Manager][f.Want]++
	}
	require.GreaterOrEqual(t, len(all), 90)
	for name := range classify {
		for _, class := range []patch.Fault{patch.Transient, patch.Busy, patch.DiskFull, patch.Corrupt, patch.Permanent, patch.Untrusted} {
			if name == "flatpak" && class == patch.Busy { // it waits itself, and does not say so
				continue
			}
			require.Positive(t, classes[name][class], "%s has no case that is %s", name, class)
		}
	}
	t.Logf("%d cases, %d wrong: %v", len(all), wrong, classes)
}
