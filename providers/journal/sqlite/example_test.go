package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/rollout"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	path := filepath.Join(dir, "patchflow.db")

	journal, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	head := rollout.Head{
		Key:     rollout.Key{Tenant: "acme/berlin", ID: "q1"},
		Entries: 1,
		Stage:   rollout.StageActive,
		Created: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
		Updated: time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC),
	}
	fmt.Println("create:", journal.Create(ctx, head, []byte("the plan"), [][]byte{[]byte("started")}))
	fmt.Println("close:", journal.Close())

	// After a restart another process takes the rollout over, and the first comes back and does not know.
	journal, err = sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	head.Entries = 2 // one is there, one comes
	fmt.Println("append:", journal.Append(ctx, head, [][]byte{[]byte("ada is done")}))
	err = journal.Append(ctx, head, [][]byte{[]byte("bob is done")})
	fmt.Println("too late:", errors.Is(err, rollout.ErrConflict))

	record, err := journal.Load(ctx, head.Key)
	if err != nil {
		log.Fatal(err)
	}
	for entry, err := range record.Entries {
		fmt.Printf("entry: %s %v\n", entry, err)
	}
	// Output:
	// create: <nil>
	// close: <nil>
	// append: <nil>
	// too late: true
	// entry: started <nil>
	// entry: ada is done <nil>
}
