package inventory_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func date(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func lifecycle() *inventory.Lifecycle {
	return &inventory.Lifecycle{AsOf: date("2026-08-22"), Releases: []inventory.Release{
		{OS: "debian", Version: "11", Ends: date("2024-08-14"), Extended: date("2026-08-31")},
		{OS: "debian", Version: "12", Ends: date("2026-06-10"), Extended: date("2028-06-30")},
		{OS: "sles", Version: "15", Ends: date("2030-01-01")},
		{OS: "sles", Version: "15.6", Ends: date("2025-12-31")},
		{OS: "windows", Version: "10.0.26100", Name: "24H2 (W)", Ends: date("2026-10-13")},
		{OS: "windows", Version: "10.0.26100", Name: "24H2 (E)", Ends: date("2027-10-12")},
		{OS: "macos", Version: "15", Open: true},
		{OS: "plan9", Version: "4"},
	}}
}

func TestLifecycleSupport(t *testing.T) {
	for _, tt := range []struct {
		os, version, now string
		want             inventory.Support
	}{
		{"debian", "12.5", "2026-06-01", inventory.Supported},
		{"debian", "12", "2026-06-10", inventory.Supported}, // the last day
		{"debian", "12", "2026-06-11", inventory.SupportExtended},
		{"debian", "11", "2026-09-01", inventory.SupportEnded},
		{"debian", "1", "2026-06-01", inventory.SupportUnknown},   // "12" does not begin "1"
		{"debian", "120", "2026-06-01", inventory.SupportUnknown}, // nor "120"
		{"debian", "", "2026-06-01", inventory.SupportUnknown},
		{"ubuntu", "12", "2026-06-01", inventory.SupportUnknown},
		{"sles", "15.6", "2026-06-01", inventory.SupportEnded},
		{"sles", "15.7", "2026-06-01", inventory.Supported},
		{"windows", "10.0.26100.4000", "2026-06-01", inventory.Supported},
		{"windows", "10.0.26100", "2027-01-01", inventory.SupportUnknown}, // its editions differ
		{"windows", "10.0.26100", "2027-11-01", inventory.SupportEnded},
		{"macos", "15.6", "2026-11-25", inventory.Supported},
		{"plan9", "4", "2026-11-25", inventory.SupportUnknown},
	} {
		got := lifecycle().Support(patch.Platform{OS: tt.os, Version: tt.version}, date(tt.now))
		require.Equal(t, tt.want, got, "%s %s at %s", tt.os, tt.version, tt.now)
	}
	require.Equal(t, inventory.SupportUnknown, new(inventory.Lifecycle).Support(patch.Platform{OS: "debian", Version: "12"}, date("2026-01-01")))
}

func TestLifecycleIsWrittenAndRead(t *testing.T) {
	text, err := json.Marshal(lifecycle())
	require.NoError(t, err)
	var back inventory.Lifecycle
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, lifecycle(), &back)
}

func ExampleLifecycle() {
	l := inventory.Lifecycle{Releases: []inventory.Release{
		{OS: "debian", Version: "12", Name: "bookworm", Ends: date("2026-06-10"), Extended: date("2028-06-30")},
	}}
	bookworm := patch.Platform{OS: "debian", Version: "12.11"}
	for _, day := range []string{"2026-06-10", "2026-06-11", "2028-07-01"} {
		fmt.Println(day, l.Support(bookworm, date(day)))
	}
	fmt.Println(l.Support(patch.Platform{OS: "beos", Version: "5"}, date("2026-06-10")))
	// Output:
	// 2026-06-10 supported
	// 2026-06-11 extended
	// 2028-07-01 ended
	// unknown
}
