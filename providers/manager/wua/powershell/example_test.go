package powershell_test

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/providers/manager/wua/powershell"
	"github.com/patchflow/patchflow/providers/transport"
)

// A product's own channel runs the command on a device, with what it is to read.
func Example() {
	channel := transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
		fmt.Printf("%s reads %s", c.Argv[0], c.Stdin)
		return transport.Result{Ended: true, Stdout: []byte(`{"System":{"Boot":31,"Start":3,"RebootRequired":true,"IsBusy":false}}`)}, nil
	})
	agent, err := powershell.New(powershell.Config{To: channel})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := agent.System(context.Background())
	fmt.Println("boot", s.BootID, "restart due:", s.RebootRequired, "busy:", s.BusyInstalling, err)
	// Output:
	// powershell.exe reads {"op":"system","name":"patchflow"}
	// boot 31 restart due: yes busy: unknown <nil>
}
