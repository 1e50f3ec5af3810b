package osv_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// What a device with one package is told for one record.
func TestWhatADeviceIsTold(t *testing.T) {
	const stretches = `"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "5"}, {"introduced": "4"}, {"fixed": "2"}, {"introduced": "0"}]}], "versions": ["3.1"]`
	const commits = `"ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "a"}, {"fixed": "b"}]}]`
	const binaries = `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5"}]}], "ecosystem_specific": {"binaries": [{"binary_name": "lib", "binary_version": "5+b1"}]}`
	for name, row := range map[string]struct {
		ecosystem, more, installed string
		scheme                     version.Scheme
		want                       string
	}{
		"below the first fix":        {"Debian:12", stretches, "1", version.Deb, "misses it"},
		"between the stretches":      {"Debian:12", stretches, "3", version.Deb, "clean"},
		"a listed version there":     {"Debian:12", stretches, "3.1", version.Deb, "open"},
		"in the second stretch":      {"Debian:12", stretches, "4.9", version.Deb, "misses it"},
		"fixed":                      {"Debian:12", stretches, "5", version.Deb, "clean"},
		"every version":              {"Debian:12", ``, "7", version.Deb, "open"},
		"the last affected":          {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "4"}]}]`, "4", version.Deb, "open"},
		"after the last affected":    {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "4"}]}]`, "4.1", version.Deb, "clean"},
		"commits alone":              {"Debian:12", commits, "1", version.Deb, "unknown"},
		"a fix that is no version":   {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "two"}]}]`, "9", version.Deb, "unknown"},
		"an order that nobody knows": {"Maven", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]`, "9", "maven", "unknown"},
		"versions of that order":     {"Maven", `"versions": ["1", "2"]`, "9", "maven", "unknown"},
		"binaries as well, below":    {"Ubuntu:22.04:LTS", binaries, "4", version.Deb, "misses it"},
		"binaries as well, fixed":    {"Ubuntu:22.04:LTS", binaries, "5+b1", version.Deb, "clean"},
		"a record that is withdrawn": {"Debian:12", `"versions": ["7"]}], "withdrawn": "2025-01-01T00:00:00Z", "x": [{"y": 1`, "7", version.Deb, "clean"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := patch.NewCatalog([]patch.Patch{one(t, of(row.ecosystem, row.more))})
			require.NoError(t, err)
			s := inventory.Software{Manager: "m", Ecosystem: row.ecosystem, Name: "lib", Source: "p", Version: version.Version{Scheme: row.scheme, Text: row.installed}}
			if row.ecosystem == "Maven" {
				s.Name, s.Source = "p", ""
			}
			a := inventory.Assess(c, &inventory.Device{ID: "d", Software: []inventory.Software{s}, Coverage: []inventory.Coverage{{Manager: "m", Status: inventory.Complete}}})
			got := "clean"
			switch {
			case len(a.Findings) > 0:
				got = "misses it"
			case len(a.Open) > 0:
				got = "open"
			case len(a.Unknown) > 0:
				got = "unknown"
				require.Equal(t, inventory.Incomparable, a.Unknown[0].Reason)
			}
			require.Equal(t, row.want, got)
		})
	}
}
