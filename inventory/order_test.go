package inventory_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// However the IDs begin and how long they are alike, findings stand in the order of their IDs.
func TestFindingsAreInTheOrderOfTheIDs(t *testing.T) {
	ids := []patch.ID{"a", "a\x00", "a\x00\x00b", "osv:ALSA-2024:1", "osv:ALSA-2024:10", "osv:ALSA-2024:2", "osv:a-long-one-of-a-vendor-1", "osv:a-long-one-of-a-vendor-10",
		"osv:a-long-one-of-a-vendor-2", "z"}
	for from := range ids {
		var patches []patch.Patch
		for _, id := range slices.Backward(ids[from:]) {
			patches = append(patches, patch.Patch{ID: id, Packages: []patch.Package{
				{Ecosystem: "e", Name: "n", Fixed: version.Version{Scheme: version.Deb, Text: "2"}},
				{Ecosystem: "e", Name: "m", Fixed: version.Version{Scheme: version.Deb, Text: "2"}},
			}})
		}
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		d := inventory.Device{ID: "d"}
		for _, name := range []string{"m", "n"} {
			d.Software = append(d.Software, inventory.Software{Ecosystem: "e", Name: name, Version: version.Version{Scheme: version.Deb, Text: "1"}})
		}
		a := inventory.Assess(c, &d)
		var got []patch.ID
		for _, f := range a.Findings {
			got = append(got, f.Patch)
			require.Len(t, f.Packages, 2)
			require.Equal(t, "m", f.Packages[0].Name)
		}
		require.Equal(t, ids[from:], got)
	}
}
