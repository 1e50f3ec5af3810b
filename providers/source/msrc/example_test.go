package msrc_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/msrc"
)

func Example() {
	files := os.DirFS("testdata")
	months, err := msrc.New(msrc.Config{Documents: []msrc.Document{{Name: "2025-Apr", Open: source.File(files, "builds.json")}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	refused := 0
	for p, err := range months.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			refused++
		case err != nil:
			fmt.Println("not complete:", err)
		default:
			fmt.Println(p.ID, p.Classification, p.Severity)
			for _, q := range p.Packages {
				fmt.Printf("  %s %q from %q up to %s\n", q.Ecosystem, q.Name, q.Introduced, q.Fixed)
			}
		}
	}
	fmt.Println(refused, "records left out")
	// Output:
	// msrc:11655=135.0.3179.54 security unrated
	//   Microsoft "Microsoft Edge (Chromium-based)" from "" up to 135.0.3179.54
	// msrc:KB5055528 security important
	//   Windows "Windows" from "10.0.22621.0" up to 10.0.22621.5189
	//   Windows "Windows" from "10.0.22631.0" up to 10.0.22631.5189
	// msrc:KB5055998 security unrated
	// msrc:KB5055999 rollup unrated
	// 4 records left out
}
