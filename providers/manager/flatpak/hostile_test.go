//go:build linux

package flatpak_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/flatpakbed"
	"github.com/patchflow/patchflow/internal/managertest"
)

// Every hostile name and version is given to everything that takes one, on a device with real flatpak: nothing changes on it but the ledger.
func TestHostileNamesAndVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long with the others")
	}
	b := filled(t, nil)
	managertest.Hostile(t, b.Bench, b.pinned(hello, "2.0-1"), []string{"etc", "home", "var/lib/flatpak/app", "var/lib/flatpak/runtime", "var/lib/flatpak/repo/refs"}, []string{
		hello, hello + ":", ":stable", hello + "::stable", hello + ":stable:x", hello + ":-stable", hello + ":.", hello + "/x86_64/stable", "app/" + hello + ":stable", "org.test:stable", "org..Hello:stable",
		".org.test.Hello:stable", "org.test.Hello.:stable", "org.test.-Hello:stable", "org.7test.Hello:stable", "org.test.Hello:sta/ble", "org.test.Hello:stable/../../x", "--columns=org.test.Hello:stable",
		"org.test.*:stable", "org.test.Hello:*", "org.test.Hello stable:x", "org.test.Hello:$(reboot)", "org.test.Héllo:stable", strings.Repeat("org.test.", 40) + "x:stable",
	})
}

// The guard is what stops them: flatpak itself does as they say.
func TestWhatFlatpakWouldDoWithoutAGuard(t *testing.T) {
	b := filled(t, nil)
	out, err := b.root.Run(t.Context(), "flatpak", "info", flatpakbed.Scope(), "--show-ref", hello+"//stable")
	require.NoError(t, err, "what has no architecture is any of them")
	require.Equal(t, "app/"+hello+"/"+b.repo.Arch+"/stable\n", out)
	out, err = b.root.Run(t.Context(), "flatpak", "update", flatpakbed.Scope(), "--noninteractive", "-y", "--help")
	require.NoError(t, err, "what begins with a hyphen is an option")
	require.Contains(t, out, "Usage:")
}
