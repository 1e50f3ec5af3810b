package wua_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/wua"
)

// A device's result is both: patches for the catalog, and what this device misses.
func Example() {
	files := os.DirFS("testdata")
	updates, err := wua.New(wua.Config{Results: []wua.File{{Name: "ada", Open: source.File(files, "search.json")}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range updates.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			fmt.Println("left out:", err)
		case err != nil:
			fmt.Println("not complete:", err)
		default:
			fmt.Println(p.ID, p.Classification, p.Severity, "contested:", p.Contested)
		}
	}
	// Output:
	// left out: wua: ada: update 5: unreadable record: UpdateID "" is no GUID
	// wua:11111111-2222-3333-4444-555555555555 driver unrated contested: false
	// wua:22222222-2222-3333-4444-555555555555 security unrated contested: true
	// wua:33333333-2222-3333-4444-555555555555 definition unrated contested: false
	// wua:acbe4fd0-394e-40e8-a96b-c4facae62c8b optional unrated contested: false
	// wua:f39d68ab-1519-4df8-85c1-d985be7f49c3 security critical contested: false
}

func ExampleResult_Scan() {
	f, err := os.Open("testdata/search.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	result, err := wua.Read(f, source.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	scan := result.Scan(wua.ByKB)
	scan.Tenant, scan.Device = "acme", "ada"
	fmt.Println(scan.Missing[0], len(scan.Missing), "missing, restart pending:", scan.PendingReboot)
	fmt.Println(scan.Coverage[0].Status, scan.Coverage[0].Detail)
	// Output:
	// msrc:KB5025239 4 missing, restart pending: yes
	// partial 1 updates could not be read
}
