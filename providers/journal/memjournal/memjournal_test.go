package memjournal_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

func TestJournal(t *testing.T) {
	rollouttest.Journal(t, rollouttest.JournalHarness{
		New: func(*testing.T) rollout.Journal { return new(memjournal.Journal) },
	})
}

func Example() {
	ctx := context.Background()
	journal := new(memjournal.Journal)

	head := rollout.Head{
		Key:     rollout.Key{Tenant: "acme/berlin", ID: "q1"},
		Entries: 1,
		Stage:   rollout.StageActive,
		Created: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
		Updated: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
	}
	fmt.Println("create:", journal.Create(ctx, head, []byte("the plan"), [][]byte{[]byte("started")}))

	head.Entries = 2 // one is there, one comes
	fmt.Println("append:", journal.Append(ctx, head, [][]byte{[]byte("ada is done")}))
	fmt.Println("append:", journal.Append(ctx, head, [][]byte{[]byte("another owner says so too")}))

	record, err := journal.Load(ctx, head.Key)
	if err != nil {
		panic(err)
	}
	for entry, err := range record.Entries {
		fmt.Printf("entry: %s %v\n", entry, err)
	}
	// Output:
	// create: <nil>
	// append: <nil>
	// append: memjournal: acme/berlin:q1: journal was changed by somebody else: it holds 2 entries
	// entry: started <nil>
	// entry: ada is done <nil>
}
