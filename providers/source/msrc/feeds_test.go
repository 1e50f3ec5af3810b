package msrc_test

import (
	"encoding/csv"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/msrc"
)

const captured = "CVEs_20260628.csv.xz"

// chains returns how many links the longest chain of supersedence has, and how many patches supersede themselves. It
// follows what patches say, and fails at any other cycle.
func chains(t *testing.T, patches map[patch.ID]patch.Patch) (longest, self int) {
	t.Helper()
	depth := make(map[patch.ID]int)
	const open = -1
	var follow func(id patch.ID) int
	follow = func(id patch.ID) int {
		if d, known := depth[id]; known {
			require.NotEqual(t, open, d, "%s is part of a cycle", id)
			return d
		}
		depth[id] = open
		d := 0
		for _, older := range patches[id].Supersedes {
			if older == id {
				self++
				continue
			}
			d = max(d, 1+follow(older))
		}
		depth[id] = d
		return d
	}
	for id := range patches {
		longest = max(longest, follow(id))
	}
	return longest, self
}

// digest makes a catalog and checks that every chain in it comes to its end. It returns how many patches are superseded.
func digest(t *testing.T, all map[patch.ID]patch.Patch) (superseded int) {
	t.Helper()
	var patches []patch.Patch
	for _, p := range all {
		patches = append(patches, p)
	}
	catalog, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	for p := range catalog.All() {
		newest := catalog.Newest(p.ID)
		require.Equal(t, newest, catalog.Newest(newest), "nothing replaces the newest")
		require.Equal(t, newest != p.ID, catalog.Superseded(p.ID))
		if newest != p.ID {
			superseded++
		}
	}
	return superseded
}

// All 608,740 captured rows: what they hold, and that every chain of supersedence comes to its end.
func TestCapturedTable(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "microsoft-wesng"))
	all, refused := list(t, msrc.Config{Supersedence: source.File(folder, captured)}, patch.Query{})
	longest, self := chains(t, all)
	require.Equal(t, []int{389, 7561, 89, 6, 4733}, []int{len(refused), len(all), longest, self, digest(t, all)},
		"values that name no KB; patches; links of the longest chain; patches that supersede themselves; superseded ones")
}

// The graphs of the single products, as the rows have them.
func TestCapturedTableByProduct(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "microsoft-wesng"))
	in, err := source.Limits{}.Open(source.File(folder, captured))
	require.NoError(t, err)
	defer in.Close()
	rows := csv.NewReader(in)
	_, err = rows.Read()
	require.NoError(t, err)
	byProduct := make(map[string]*strings.Builder)
	total := 0
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		total++
		if row[2] == "" || row[8] == "" {
			continue
		}
		b := byProduct[row[4]]
		if b == nil {
			b = new(strings.Builder)
			b.WriteString("BulletinKB,Supersedes\n")
			byProduct[row[4]] = b
		}
		b.WriteString(row[2] + "," + strings.ReplaceAll(row[8], ",", ";") + "\n")
	}
	longest, self, nodes, products := 0, 0, 0, 0
	for _, b := range byProduct {
		all, _ := list(t, table(b.String()), patch.Query{})
		l, s := chains(t, all)
		longest, self, nodes = max(longest, l), self+s, nodes+len(all)
		if s > 0 {
			products++
		}
		digest(t, all)
	}
	require.Equal(t, []int{608740, 1176, 22922, 89, 15, 15}, []int{total, len(byProduct), nodes, longest, self, products},
		"rows; products; their KBs that supersede something; links of the longest chain; those that supersede themselves; products with one")
}
