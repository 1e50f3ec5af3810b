package inventory_test

import (
	"encoding"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestTenantContains(t *testing.T) {
	tests := []struct {
		outer, inner inventory.Tenant
		want         bool
	}{
		{"acme", "acme", true},
		{"acme", "acme/berlin", true},
		{"acme", "acme/berlin/mitte", true},
		{"acme", "acme2", false},
		{"acme/berlin", "acme", false},
		{"acme", "", false},
		{"", "", true},
		{"", "acme", true},
	}
	for _, test := range tests {
		require.Equal(t, test.want, test.outer.Contains(test.inner), "%q contains %q", test.outer, test.inner)
	}
}

func enumTest[E interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}](t *testing.T, names []string, read func(text []byte) (E, error)) {
	t.Helper()
	for v, name := range names {
		text, err := E(v).MarshalText()
		require.NoError(t, err)
		require.Equal(t, name, string(text))
		require.Equal(t, name, E(v).String())
		back, err := read(text)
		require.NoError(t, err)
		require.Equal(t, E(v), back)
	}
	_, err := E(len(names)).MarshalText()
	require.Error(t, err, "there is a value without a name in the test")
	_, err = read([]byte("nonsense"))
	require.ErrorContains(t, err, `"nonsense" is no `)
}

func TestEnumsAreWrittenAndReadByName(t *testing.T) {
	t.Run("exposure", func(t *testing.T) {
		enumTest(t, []string{"unknown", "internal", "public"},
			func(b []byte) (v inventory.Exposure, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("status", func(t *testing.T) {
		enumTest(t, []string{"unknown", "complete", "partial", "skipped", "failed"},
			func(b []byte) (v inventory.Status, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("state", func(t *testing.T) {
		enumTest(t, []string{"unknown", "clean", "missing"},
			func(b []byte) (v inventory.State, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("evidence", func(t *testing.T) {
		enumTest(t, []string{"unknown", "device-says", "below-fixed"},
			func(b []byte) (v inventory.Evidence, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("reason", func(t *testing.T) {
		enumTest(t, []string{"unknown", "no-catalog", "never-scanned", "not-covered", "no-software", "no-feed", "incomparable",
			"unknown-patch", "other-platform", "unknown-stream"},
			func(b []byte) (v inventory.Reason, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("gap", func(t *testing.T) {
		enumTest(t, []string{"unknown", "never-scanned", "stale", "incomplete", "no-zone", "pending-reboot", "exploited", "unsupported", "conflict", "no-policy"},
			func(b []byte) (v inventory.GapKind, err error) { err = v.UnmarshalText(b); return })
	})
}
