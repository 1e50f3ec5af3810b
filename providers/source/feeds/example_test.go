package feeds_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/feeds"
)

// A feed fails after an hour: what was read of it stays in force, and is called stale.
func Example() {
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	debian := newDesk("debian", "DSA-6001", "DSA-6002")
	alma := newDesk("alma", "ALSA-2026:1")
	k, err := feeds.New(feeds.Config{
		Feeds: []feeds.Feed{
			feeds.Always("debian", debian),
			{Name: "alma", Open: func(context.Context) (feeds.Reading, error) {
				if now.Hour() > 8 {
					return feeds.Reading{}, errors.New("no mirror answers")
				}
				return feeds.Reading{Source: alma}, nil
			}},
		},
		Now: func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer k.Close()
	before := k.View().Catalog
	for range 2 {
		v, err := k.Refresh(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		changes := patch.Diff(before, v.Catalog)
		fmt.Printf("%d patches, %d of them new\n", v.Catalog.Len(), len(changes.Added))
		for _, f := range v.Feeds {
			fmt.Printf("  %-6s read at %s, stale: %v\n", f.Name, f.Read.Format("15:04"), f.Stale)
		}
		before = v.Catalog
		now = now.Add(time.Hour)
		debian.set("DSA-6001", "DSA-6002", "DSA-6003")
	}
	// Output:
	// 3 patches, 3 of them new
	//   debian read at 08:00, stale: <nil>
	//   alma   read at 08:00, stale: <nil>
	// 4 patches, 1 of them new
	//   debian read at 09:00, stale: <nil>
	//   alma   read at 08:00, stale: no mirror answers
}
