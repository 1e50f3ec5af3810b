package osv_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/osv"
)

func Example() {
	feed := fstest.MapFS{"feed.jsonl": {Data: []byte(`{"id": "DSA-5650-1", "summary": "util-linux - security update", "related": ["CVE-2024-28085"], "affected": [` +
		`{"package": {"ecosystem": "Debian:12", "name": "util-linux"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "2.38.1-5+deb12u1"}, {"introduced": "0"}]}]}]}
{"id": "DSA-1-1", "affected": "everything"}
{"id": "DLA-372-1", "summary": "virtualbox-ose - end of support", "affected": [{"package": {"ecosystem": "Debian:6.0", "name": "virtualbox-ose"}}]}
`)}}
	s, err := osv.New(osv.Config{Inputs: []osv.Input{{Name: "feed.jsonl", Open: source.File(feed, "feed.jsonl")}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			fmt.Println("left out:", err)
		case err != nil:
			fmt.Println("not complete:", err)
		default:
			for _, of := range p.Packages {
				if of.Fixed.IsZero() {
					fmt.Println(p.ID, "leaves all that is built from", of.Source, "open in", of.Ecosystem)
					continue
				}
				fmt.Println(p.ID, p.CVEs(), "is closed by", of.Source, of.Fixed, "in", of.Ecosystem)
			}
		}
	}
	// Output:
	// osv:DSA-5650-1 [CVE-2024-28085] is closed by util-linux 2.38.1-5+deb12u1 in Debian:12
	// left out: osv: feed.jsonl: record 2, line 2: unreadable record: DSA-1-1: json: cannot unmarshal string into Go struct field record.affected of type []osv.affected
	// osv:DLA-372-1 leaves all that is built from virtualbox-ose open in Debian:6.0
}
