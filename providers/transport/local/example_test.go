package local_test

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

func Example() {
	machine := local.New(local.Config{})
	r, err := machine.Run(context.Background(), transport.Command{Argv: []string{"printf", "%s\n", "no $HOME, no *"}})
	if err != nil {
		fmt.Println("not run:", err)
		return
	}
	fmt.Printf("%s: %s", r, r.Stdout)
	// Output: exit code 0: no $HOME, no *
}
